"""The audit log of a service: which calls it has, how they are stored, and how they are listed."""
