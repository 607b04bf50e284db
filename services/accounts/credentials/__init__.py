"""Credentials: passwords, codes, sessions, access tokens, API keys, and what ends them."""
