"""Changes: each decision is recorded as changes of a booking, an entry or seats.

Counters, ledger rows and all saved rows follow from the changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

LIVE = frozenset({"HELD", "CONFIRMED"})


class Kind(StrEnum):
    """The kind of a change, as the ledger stores it."""

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
    TICKETED = "TICKETED"
    TRANSFERRED = "TRANSFERRED"
    REGAINED = "REGAINED"
    REFUND_DUE = "REFUND_DUE"
    REFUNDED = "REFUNDED"
    BLOCKED = "BLOCKED"
    UNBLOCKED = "UNBLOCKED"


@dataclass(frozen=True, slots=True)
class Booking:
    """Seats of an event for a user. Money is minor units for all its seats.

    An offer has the `place` of its user in the waiting list until it is accepted or ends.
    `seat_ids` are the assigned seats in their order, if the event has assigned seats. A hold that
    `is_paying` has a payment under way, and does not end before it has failed.
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
    is_paying: bool = False

    @property
    def is_live(self) -> bool:
        """Whether it holds seats."""
        return self.status in LIVE


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the waiting list.

    `position` counts from 1; it is the position at loading, or at joining. `blocked_since` is the
    time since which the entry has been first and wanted more seats than are free.
    """

    event_id: int
    place: int
    user_id: str
    seat_count: int
    joined_at: datetime
    blocked_since: datetime | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """The ticket of a booking. It awaits payment until it is valid.

    Whether it still admits anybody follows from the booking: a ticket has no state of its own.
    """

    event_id: int
    id: UUID
    booking_id: int
    user_id: str
    created_at: datetime
    valid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment of a booking; all its attempts have payments of their own.

    `amount_minor` was asked for, `received_minor` is what the provider received: a payment is
    `mismatched` if that is not the same. `refunding_minor` is the sum of all refunds,
    `refunded_minor` of those that were paid back.
    """

    event_id: int
    id: UUID
    booking_id: int
    user_id: str
    provider: str
    method: str
    status: str
    amount_minor: int
    currency: str
    created_at: datetime
    received_minor: int = 0
    received_currency: str | None = None
    mismatched: bool = False
    refunding_minor: int = 0
    refunded_minor: int = 0
    provider_reference: str | None = None
    settled_at: datetime | None = None

    @property
    def left_minor(self) -> int:
        """What was received and not given back; a payment buys its booking while that is not 0."""
        return self.received_minor - self.refunding_minor


@dataclass(frozen=True, slots=True)
class Refund:
    """Money of a payment to be paid back: DUE, REFUNDED, or FAILED if the provider cannot."""

    event_id: int
    id: UUID
    payment_id: UUID
    booking_id: int
    amount_minor: int
    currency: str
    reason: str
    status: str
    created_at: datetime
    refunded_at: datetime | None = None
    provider_reference: str | None = None


class Change(NamedTuple):
    """One change of an inventory: the booking or entry afterwards, and how counters change.

    `state` is the new state of the entry at `place`; `joined` is the entry if it is new. `user_id`
    is the user of the booking or entry. `seat_ids` are the seats that were blocked or unblocked;
    assigned seats of a booking are in `booking`. `ticket` is that of the booking, if it was issued
    or became valid. A change of money alone has its `payment` instead of the booking.
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
    ticket: Ticket | None = None
    payment: Payment | None = None


class Recorded(NamedTuple):
    """A change, the revision that it made, and the capacity at that revision."""

    rev: int
    change: Change
    capacity: int
