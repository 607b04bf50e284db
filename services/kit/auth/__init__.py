"""Authentication: turns tokens, API keys and service keys into callers."""
