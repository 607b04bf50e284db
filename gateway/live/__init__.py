"""Live updates: what happens to the seats of an event, for all clients that watch it.

Each watched event has one stream from bookings, however many clients there are. What arrives is
encoded once, and all clients share the bytes.
"""
