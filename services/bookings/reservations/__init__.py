"""Booking seats, looking at bookings, and cancelling them."""
