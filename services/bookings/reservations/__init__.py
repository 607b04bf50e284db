"""Bookings by number and reference: making, reading and cancelling them.

Has the servicer of BookingsService, which also counts free seats (`catalogue`) and lists top users
(`rankings`). The rules of booking and cancelling are in `inventory`.
"""
