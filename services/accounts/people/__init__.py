"""What people do with their accounts: register, log in, reset a password, change their address."""
