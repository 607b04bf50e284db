"""Events: creating, reading, listing, changing and deleting them, in step with bookings.

The bookings client is here, since changes ask bookings. What bookings asks of the catalogue is in
`feed`.
"""
