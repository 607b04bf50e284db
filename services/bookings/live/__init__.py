"""Live updates: which seats of an event are taken, as it happens."""
