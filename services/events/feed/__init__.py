"""The feed of changes that bookings follows, and what bookings is asked."""
