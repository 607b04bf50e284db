"""Seats of screenings: maps of them, reservations and suggestions.

A screening is an event with a seat plan. `inventory` decides which seats are taken, `seating` which
are best.
"""
