"""The feed: the changes and states of events that bookings follows."""
