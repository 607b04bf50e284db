"""The service bookings: books seats, and never more than an event has."""
