"""Letters on their way to accounts, which mails them. What is in a letter belongs to its room."""
