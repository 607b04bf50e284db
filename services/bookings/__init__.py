"""Bookings: who holds which seat, and never more of them than there are."""
