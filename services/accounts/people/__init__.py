"""What people do with their accounts: register, log in, reset a password; and what operators do."""
