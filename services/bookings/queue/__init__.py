"""Virtual queues: joining, drawing places, admitting, and where people stand.

Whether somebody may book is decided in the core. Nothing here writes inventories or bookings.
"""
