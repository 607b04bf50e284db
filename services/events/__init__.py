"""The catalogue: what can be booked, and how each change of it stays in step with bookings."""
