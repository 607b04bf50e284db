"""What can be asked about the assigned seats of an event, and what comes of it.

The other commands book seats of such an event, too: they get the best ones that are left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.bookings.access import Viewer
from services.bookings.inventory.changes import Booking
from services.bookings.seating.choosing import Wish


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold the seats that are named, or the best ones if `best` is given, for a while.

    All of them or none are held; without `require_all` those that are free are, at least one.
    """

    event_id: int
    user_id: str
    seat_ids: Sequence[int] = ()
    best: Wish | None = None
    require_all: bool = True
    suggests_alternatives: bool = True
    viewer: Viewer | None = None

    @property
    def seat_count(self) -> int:
        """How many seats are wanted."""
        return self.best.count if self.best else len(self.seat_ids)


@dataclass(frozen=True, slots=True)
class Release:
    """End a hold before its time. Releasing what is over frees nothing."""

    event_id: int
    booking_id: int


@dataclass(frozen=True, slots=True)
class ReleaseUser:
    """End all holds of a user for an event before their time."""

    event_id: int
    user_id: str
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """Turn a hold that has not ended into a booking that lasts. A ticket is given for it."""

    event_id: int
    booking_id: int


@dataclass(frozen=True, slots=True)
class Extend:
    """Make a hold longer, once: a payment has begun."""

    event_id: int
    booking_id: int


@dataclass(frozen=True, slots=True)
class BlockSeats:
    """Keep seats from everybody: these, and no others that were blocked before."""

    event_id: int
    seat_ids: Sequence[int]
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class Seated:
    """A booking of seats as a command left it, and the revision at which it was so.

    `unavailable` are seats that were asked for and could not be had. `changed` is whether anything
    was done: confirming or extending again does nothing.
    """

    booking: Booking
    rev: int
    unavailable: Sequence[int] = ()
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Released:
    """How many seats a release freed, and how many of those who wait were served with them."""

    seat_count: int
    rev: int
    served: int = 0


@dataclass(frozen=True, slots=True)
class SeatsBlocked:
    """The seats that are blocked, in the order of their ids."""

    seat_ids: Sequence[int]
    rev: int


@dataclass(frozen=True, slots=True)
class PlanNeeded:
    """Nothing was decided: the plan of the event's seats has to be loaded first."""

    plan_id: int
