"""The catalogue of events, as bookings knows it.

Follows its changes, compares it with the inventory, and reads events that are not known here yet.
Finds events by key and counts their free seats for all rooms. Has the servicer of InventoryService.
"""
