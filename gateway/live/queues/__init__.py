"""Positions in queues, each told to the client that holds the place.

Each watched queue has one stream from bookings, and its line is kept in memory. Positions are
counted there, so all gateways tell the same ones.
"""
