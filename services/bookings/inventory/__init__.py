"""How an inventory changes: the database locks, loads and saves; Python decides.

`lane` collects commands and runs one transaction for all that arrived while the last one was under
way: `store` locks the events and loads what the `commands` need, `decide` decides, `store` saves the
`changes`. Nothing else writes the inventory, the bookings, the waiting list, the ledger or the
notices. Reading them for lists belongs to the rooms beside this one.
"""
