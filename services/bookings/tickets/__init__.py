"""Tickets: issuing and showing them, and the signed codes that are scanned at the door.

A ticket is issued in `inventory`, in the transaction that confirms its booking.
"""
