"""A screening, its seats and their reservations, as they are at a revision of its inventory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.bookings.seating.plan import Area, Plan
from services.bookings.seating.prices import Prices


class Version(NamedTuple):
    """The values that a map of seats depends on.

    `ended_seats` are seats whose holds have ended before a new revision says so.
    """

    rev: int
    catalogue_rev: int
    ended_seats: int = 0

    @property
    def tag(self) -> str:
        """The version as an entity tag, without quotes."""
        return "-".join(map(str, self if self.ended_seats else self[:2]))


@dataclass(frozen=True, slots=True)
class Screening:
    """An event with a seat plan, as the inventory knows it."""

    event_id: int
    plan_id: int
    version: Version
    prices: Prices
    is_draft: bool = False
    is_deleted: bool = False
    is_closed: bool = False
    organizer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The seats of a screening that cannot be had now, as maps; see seating.plan."""

    screening: Screening
    held: int = 0
    sold: int = 0
    blocked: int = 0

    @property
    def taken(self) -> int:
        """The map of the seats that are not free."""
        return self.held | self.sold | self.blocked

    def free(self, plan: Plan) -> int:
        """Returns the map of the seats that are free."""
        return plan.every_seat & ~self.taken

    def left_of_areas(self, plan: Plan) -> list[tuple[Area, int]]:
        """Lists the areas of the plan, each with how many of its places are free."""
        free = self.free(plan) & plan.places
        return [(area, (free & plan.of_section[area.section]).bit_count()) for area in plan.areas]


@dataclass(frozen=True, slots=True)
class SeatReservation:
    """A booking of seats as it is read at revision `rev`. Money is minor units for all seats."""

    reference: UUID
    id: int
    event_id: int
    user_id: str
    seat_ids: Sequence[int]
    status: str
    price_amount_minor: int | None
    price_currency: str | None
    expires_at: datetime | None
    organizer_id: str | None
    rev: int
