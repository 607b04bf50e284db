"""Rankings of the users who booked most."""
