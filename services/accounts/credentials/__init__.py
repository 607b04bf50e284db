"""What shows who somebody is: passwords, codes, sessions, tokens, API keys, and signing keys."""
