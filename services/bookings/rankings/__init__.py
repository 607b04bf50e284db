"""Who booked most."""
