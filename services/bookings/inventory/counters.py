"""What an event's inventory counts, and what is known of a user's past."""

from datetime import datetime
from typing import NamedTuple


class Past(NamedTuple):
    """Whether a user ever had a booking, an exclusive booking or an entry of the event."""

    any_booking: bool
    exclusive_booking: bool
    entry: bool


class Counters(NamedTuple):
    """The columns of an inventory that follow from its changes."""

    sold: int
    held: int
    blocked: int
    live_bookings: int
    waiting: int
    last_place: int
    rev: int
    next_expiry_at: datetime | None
