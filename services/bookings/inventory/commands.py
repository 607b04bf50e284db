"""The commands that an inventory accepts, and their outcomes; one dataclass for each.

Idempotency keys are not part of a command, see `Ask`. `viewer` is the caller: only its owner sees a
draft. Workers have no viewer, and own no event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from services.bookings.access import Viewer
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.payment_commands import (
    Paid,
    PaymentCommand,
    RefundEvent,
    Refunding,
)
from services.bookings.inventory.queue_commands import SetQueue
from services.bookings.inventory.seat_commands import (
    BlockSeats,
    Hold,
    IssueTicket,
    PlanNeeded,
    Release,
    Released,
    ReleaseUser,
    Seated,
    SeatsBlocked,
    Transfer,
)
from services.kit.rpc.errors import Refusal, Unavailable


@dataclass(frozen=True, slots=True)
class Reserve:
    """Book seats, all or none.

    A user can have one exclusive booking of an event, unless the event has its own rule.
    """

    event_id: int
    user_id: str
    seat_count: int = 1
    exclusive: bool = True
    viewer: Viewer | None = None
    queue_token: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """Book seats, accept an offer, or join the waiting list of an event that is sold out."""

    event_id: int
    user_id: str
    seat_count: int = 1
    viewer: Viewer | None = None
    queue_token: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel a booking. Its money is given back by the event's rule, or if `by_organizer`."""

    event_id: int
    booking_id: int
    by_organizer: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel the booking that a user made by Reserve or Book, or take them off the waiting list."""

    event_id: int
    user_id: str
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class EventState:
    """An event as the catalogue has it at revision `rev` of epoch `epoch`.

    Times are aware, money is minor units for a seat. An event with assigned seats has a plan and
    the plan's number of seats; prices of types of seats are in the currency of its price.
    """

    event_id: int
    rev: int
    name: str
    capacity: int
    status: str
    deleted: bool = False
    starts_at: datetime | None = None
    sales_open_at: datetime | None = None
    sales_close_at: datetime | None = None
    price_amount_minor: int | None = None
    price_currency: str | None = None
    one_booking_per_user: bool | None = None
    organizer_id: str | None = None
    key: str | None = None
    epoch: str = ""
    plan_id: int | None = None
    seat_type_prices: Mapping[str, int] = field(default_factory=dict)
    orphan_rule: bool = False
    refund_until: datetime | None = None

    @property
    def closes(self) -> bool:
        """Whether this state closes the event for good and cancels its bookings."""
        return self.deleted or self.status == "CANCELLED"


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """The last change of the catalogue's feed that was applied; empty at the start."""

    epoch: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Put a state of the catalogue in force, or record that it is refused.

    `begins_epoch` lets a state of another epoch win. With `position` the state is applied only
    while that is still the position in the feed.
    """

    state: EventState
    begins_epoch: bool = False
    position: FeedPosition | None = None

    @property
    def event_id(self) -> int:
        """The id of the state's event."""
        return self.state.event_id


@dataclass(frozen=True, slots=True)
class Sweep:
    """Expire the holds that have ended, and serve those who wait while seats are free."""

    event_id: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Stop the sale of an event whose counters are wrong or that differs from the catalogue.

    With `epoch` and `rev` it is frozen only while that state of the catalogue is the latest.
    """

    event_id: int
    why: str
    epoch: str | None = None
    rev: int | None = None


@dataclass(frozen=True, slots=True)
class SetSkipFit:
    """Set after how many seconds smaller parties may pass the head of the line; None for never."""

    event_id: int
    seconds: int | None


SeatCommand: TypeAlias = Hold | Release | ReleaseUser | IssueTicket | Transfer | BlockSeats
Command: TypeAlias = (
    Reserve
    | Book
    | Cancel
    | Withdraw
    | Apply
    | Sweep
    | Freeze
    | SetSkipFit
    | RefundEvent
    | SeatCommand
    | PaymentCommand
    | SetQueue
)


class NamedEvent(Protocol):
    """The fields of an event that its bookings show."""

    @property
    def name(self) -> str:
        """The name of the event."""

    @property
    def starts_at(self) -> datetime | None:
        """The time at which the event starts."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A new booking or an accepted offer, and the revision that this made."""

    booking: Booking
    event: NamedEvent
    rev: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A place in the waiting list of an event that is sold out; `position` counts from 1."""

    event_id: int
    user_id: str
    seat_count: int
    position: int
    rev: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A cancelled booking, the revision, and how many waiting users were served."""

    booking: Booking
    event: NamedEvent
    rev: int
    served: int


@dataclass(frozen=True, slots=True)
class LeftLine:
    """The revision at which a user left the waiting list, and how many others were served."""

    rev: int
    served: int


class Verdict(StrEnum):
    """The decision on a state of an event."""

    APPLIED = "APPLIED"
    STALE = "STALE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the reason of a refusal, how many bookings it cancelled, and the revision."""

    verdict: Verdict
    refusal: str = ""
    cancelled_bookings: int = 0
    inventory_rev: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome of a command without a result of its own: whether it changed anything."""

    changed: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """The stored response to an idempotency key, serialized."""

    response: bytes


SeatOutcome: TypeAlias = Seated | Released | SeatsBlocked | PlanNeeded
PaymentOutcome: TypeAlias = Paid | Refunding
Outcome: TypeAlias = (
    SeatOutcome
    | PaymentOutcome
    | Booked
    | Waiting
    | Cancelled
    | LeftLine
    | Judgement
    | Done
    | Replayed
    | Refusal
)


class Deferred:
    """The command is not decided yet: it is among the first of the lane's next transaction.

    An earlier command of the batch has the same key, or too many holds have ended to expire them
    all in this transaction.
    """


DEFERRED = Deferred()


class UnknownEvent(Unavailable):
    """Bookings does not know the event, and the catalogue could not be asked."""


class PositionMoved(Unavailable):
    """Another replica has moved the position in the feed."""
