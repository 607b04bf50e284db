"""Seats of screenings: maps of them, reservations, and suggestions.

A screening is an event with a seat plan. Which seats are taken is decided in `inventory`; which are
best, in `seating`.
"""
