"""What can be asked of an inventory, one dataclass for each, and what comes of it.

A command carries no idempotency key. `viewer` is the caller on whose behalf it is asked: a draft
exists for its owner alone. Workers have no viewer, and own no event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from services.bookings.access import Viewer
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.seat_commands import (
    BlockSeats,
    Confirm,
    Extend,
    Hold,
    PlanNeeded,
    Release,
    Released,
    ReleaseUser,
    Seated,
    SeatsBlocked,
)
from services.kit.rpc.errors import Refusal, Unavailable


@dataclass(frozen=True, slots=True)
class Reserve:
    """Book seats, all or none.

    An exclusive booking is its user's only one, unless the event says otherwise.
    """

    event_id: int
    user_id: str
    seat_count: int = 1
    exclusive: bool = True
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Book seats, accept an offer, or join the waiting list of an event that is sold out."""

    event_id: int
    user_id: str
    seat_count: int = 1
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel a booking."""

    event_id: int
    booking_id: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel the booking that a user made by Reserve or Book, or take them off the waiting list."""

    event_id: int
    user_id: str
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class EventState:
    """An event as the catalogue has it at revision `rev` of its life `epoch`.

    Times are aware, money is minor units for a seat. An event with assigned seats has a plan, as
    many seats as its plan, and prices of types of seats in the currency of its price.
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

    @property
    def closes(self) -> bool:
        """Whether it ends the event for good and cancels its bookings."""
        return self.deleted or self.status == "CANCELLED"


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """The last change of the catalogue's feed that is applied; empty at the start."""

    epoch: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Put a state of the catalogue in force, or record that it is refused.

    `begins_epoch` lets a state of another epoch win. With `position` nothing is applied once the
    feed has been followed beyond it.
    """

    state: EventState
    begins_epoch: bool = False
    position: FeedPosition | None = None

    @property
    def event_id(self) -> int:
        """The event that the state is of."""
        return self.state.event_id


@dataclass(frozen=True, slots=True)
class Sweep:
    """Expire the holds that have ended, and serve those who wait while seats are free."""

    event_id: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Stop the sale: of an event that counts wrongly, or differs from the catalogue.

    With `epoch` and `rev` it is frozen only while that state of the catalogue is the last one.
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


SeatCommand: TypeAlias = Hold | Release | ReleaseUser | Confirm | Extend | BlockSeats
Command: TypeAlias = (
    Reserve | Book | Cancel | Withdraw | Apply | Sweep | Freeze | SetSkipFit | SeatCommand
)


class NamedEvent(Protocol):
    """What a booking shows of its event."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def starts_at(self) -> datetime | None:
        """When it starts."""


@dataclass(frozen=True, slots=True)
class Booked:
    """Seats that were booked, or an offer that was accepted, and the revision that this made."""

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
    """A booking that was cancelled at a revision, and how many of those who wait were served."""

    booking: Booking
    event: NamedEvent
    rev: int
    served: int


@dataclass(frozen=True, slots=True)
class LeftLine:
    """A user who was taken off the waiting list, and how many others were served then."""

    rev: int
    served: int


class Verdict(StrEnum):
    """What became of a state of an event."""

    APPLIED = "APPLIED"
    STALE = "STALE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why a refusal, what it cancelled, and the inventory's revision afterwards."""

    verdict: Verdict
    refusal: str = ""
    cancelled_bookings: int = 0
    inventory_rev: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to tell but whether anything changed."""

    changed: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """The bytes of the response that was given when the idempotency key was first used."""

    response: bytes


SeatOutcome: TypeAlias = Seated | Released | SeatsBlocked | PlanNeeded
Outcome: TypeAlias = (
    SeatOutcome | Booked | Waiting | Cancelled | LeftLine | Judgement | Done | Replayed | Refusal
)


class Later:
    """Nothing is decided yet: the command has to be asked again, in a transaction after this one.

    Its key is that of an earlier command of the batch, or holds that have ended are in its way.
    """


LATER = Later()


class UnknownEvent(Unavailable):
    """The event is not known here, and the catalogue could not be asked."""


class Overtaken(Unavailable):
    """Another replica has followed the catalogue further meanwhile."""
