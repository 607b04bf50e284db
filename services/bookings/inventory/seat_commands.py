"""The commands about the assigned seats of an event, and their outcomes.

All other commands that book seats of such an event get the best free ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.bookings.access import Viewer
from services.bookings.inventory.changes import Booking, Ticket
from services.bookings.seating.choosing import Wish


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold the named seats, or the best ones if `best` is given, until a time.

    All of them are held or none; without `require_all`, those that are free, at least one.
    """

    event_id: int
    user_id: str
    seat_ids: Sequence[int] = ()
    best: Wish | None = None
    require_all: bool = True
    suggests_alternatives: bool = True
    viewer: Viewer | None = None
    queue_token: str = ""

    @property
    def seat_count(self) -> int:
        """The number of seats asked for."""
        return self.best.count if self.best else len(self.seat_ids)


@dataclass(frozen=True, slots=True)
class Release:
    """End a hold early. Releasing a hold that has ended frees nothing."""

    event_id: int
    booking_id: int


@dataclass(frozen=True, slots=True)
class ReleaseUser:
    """End all holds of a user for an event early."""

    event_id: int
    user_id: str
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class IssueTicket:
    """Issue the ticket of a booking. A free booking is confirmed; others await their payment."""

    event_id: int
    booking_id: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Give the valid ticket of a booking, which is the user's, to another user."""

    event_id: int
    booking_id: int
    user_id: str
    to_user_id: str


@dataclass(frozen=True, slots=True)
class BlockSeats:
    """Take exactly these seats off sale, and put all others on sale again."""

    event_id: int
    seat_ids: Sequence[int]
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class Seated:
    """A booking of assigned seats after a command, and the revision.

    `unavailable` are the seats asked for that were taken. `changed` is False if the ticket
    had been issued before. `ticket` is the ticket that was asked for, or that was transferred.
    """

    booking: Booking
    rev: int
    unavailable: Sequence[int] = ()
    changed: bool = True
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """How many seats were released, the revision, and how many waiting users were served."""

    seat_count: int
    rev: int
    served: int = 0


@dataclass(frozen=True, slots=True)
class SeatsBlocked:
    """The blocked seats in the order of their ids, and the revision."""

    seat_ids: Sequence[int]
    rev: int


@dataclass(frozen=True, slots=True)
class PlanNeeded:
    """The command was not decided: the plan of the event has to be loaded first."""

    plan_id: int
