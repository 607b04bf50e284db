"""Events: creating, reading, listing, changing and deleting them."""
