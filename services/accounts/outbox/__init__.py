"""Letters that are due, stored until they are sent."""
