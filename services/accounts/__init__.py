"""Accounts, their credentials, and the keys that sign tokens."""
