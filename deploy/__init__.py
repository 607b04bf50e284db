"""How Boxoffice is run: here for development, in containers elsewhere."""
