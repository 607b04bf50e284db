"""Who is calling: accounts, their credentials, and the keys that tokens are signed with."""
