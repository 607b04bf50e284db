"""Use cases of people (register, log in, reset a password) and of operators."""
