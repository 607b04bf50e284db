"""The waiting list: joining, leaving, reading it, and telling people who got seats."""
