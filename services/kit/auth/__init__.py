"""From credentials to callers: tokens, API keys, and the keys that they are checked by."""
