"""The catalogue: what can be booked, and how each change of it stays in step with bookings.

Each room has its rules, statements, messages and servicer. Rooms share `access`, `errors` and
`idempotency`; `feed` reads what the others write.
"""
