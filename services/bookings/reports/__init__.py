"""Reports: the figures of an event, and its bookings as CSV, for its organizer. Only reads."""
