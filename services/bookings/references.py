"""Finds bookings by their references, the secrets of guests, or by their numbers.

The event and the user of a booking never change, so they are read before any lock.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.bookings.access import Viewer
from services.bookings.errors import BookingNotFound, ReservationNotFound
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class FoundBooking:
    """The event and number of a booking, and the users who may see it."""

    event_id: int
    booking_id: int
    user_id: str
    organizer_id: str | None
    has_assigned_seats: bool

    def is_visible_to(self, viewer: Viewer) -> bool:
        """Returns whether a viewer who knows the reference may see the booking."""
        return viewer.sees_by_reference(self.user_id, self.organizer_id)


@dataclass(frozen=True, slots=True)
class BookingName:
    """A booking by its number, or by its reference, the secret of a guest."""

    reference: UUID | None = None
    booking_id: int | None = None


async def find_visible(pool: Pool, name: BookingName, viewer: Viewer) -> tuple[int, int]:
    """Finds the event and the number of a booking that the viewer may see.

    Raises ReservationNotFound or BookingNotFound.
    """
    is_secret = name.reference is not None
    rows = viewer.rows(guests=True if is_secret else None)
    values = {"reference": name.reference, "booking_id": name.booking_id, **rows}
    async with pool.connection() as connection:
        found = await (await connection.execute(SQL["find_visible"], values)).fetchone()
    if found is None:
        raise ReservationNotFound if is_secret else BookingNotFound
    return found[0], found[1]


async def find_bookings(pool: Pool, references: Collection[UUID]) -> Mapping[UUID, FoundBooking]:
    """Reads the bookings of references; those that do not exist are missing."""
    async with pool.connection() as connection:
        values = {"references": list(references)}
        rows = await (await connection.execute(SQL["find_bookings"], values)).fetchall()
    return {reference: FoundBooking(*columns) for reference, *columns in rows}
