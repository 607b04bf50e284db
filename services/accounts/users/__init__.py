"""Users: the rows of accounts, and e-mail addresses. No credentials and no use cases."""
