"""What is decided about an inventory: a sequence of changes, each of a booking, an entry or seats.

Counters, the ledger and all that is saved follow from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

LIVE = frozenset({"HELD", "CONFIRMED"})


class Kind(StrEnum):
    """What happened at a revision of an inventory, as the ledger names it."""

    OPENED = "OPENED"
    RESIZED = "RESIZED"
    CLOSED = "CLOSED"
    RESERVED = "RESERVED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    JOINED = "JOINED"
    LEFT = "LEFT"
    SERVED = "SERVED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    HELD = "HELD"
    CONFIRMED = "CONFIRMED"
    EXTENDED = "EXTENDED"
    BLOCKED = "BLOCKED"
    UNBLOCKED = "UNBLOCKED"


@dataclass(frozen=True, slots=True)
class Booking:
    """Seats of an event for a user. Money is minor units for all its seats.

    `place` is the place in the waiting list that it was offered to, while the offer stands.
    `seat_ids` are the assigned seats, in their order, of an event that has them.
    """

    event_id: int
    id: int
    reference: UUID
    user_id: str
    status: str
    exclusive: bool
    seat_count: int
    price_amount_minor: int | None
    price_currency: str | None
    created_at: datetime
    expires_at: datetime | None = None
    cancelled_at: datetime | None = None
    place: int | None = None
    seat_ids: Sequence[int] = ()
    extended_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Whether it holds seats."""
        return self.status in LIVE


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who waits; `position` counts from 1, and is as it was loaded or when they joined.

    `blocked_since` is since when the entry is first and wants more seats than are free.
    """

    event_id: int
    place: int
    user_id: str
    seat_count: int
    joined_at: datetime
    blocked_since: datetime | None = None
    position: int | None = None


class Change(NamedTuple):
    """One change of an inventory: what became of a booking or an entry, and by how much it counts.

    `booking` is as it is afterwards. `state` is that of the entry at `place` afterwards; `joined`
    is the entry where it is new. `user_id` is whom the change is about. `seat_ids` are blocked or
    unblocked; the seats of a booking are in the booking.
    """

    kind: Kind
    user_id: str | None = None
    booking: Booking | None = None
    place: int | None = None
    state: str = ""
    joined: Entry | None = None
    sold: int = 0
    held: int = 0
    live: int = 0
    waiting: int = 0
    blocked: int = 0
    seat_ids: Sequence[int] = ()


class Recorded(NamedTuple):
    """A change and the revision that it made."""

    rev: int
    change: Change
    capacity: int
