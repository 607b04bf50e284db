"""The copy of the catalogue that bookings keeps.

Follows the changes of the catalogue, compares it with the inventory, and reads unknown events.
Finds events by key and counts their free seats for all rooms. Has the servicer of InventoryService.
"""
