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
class BookingName:
    """A booking by its number, or by its reference, the secret of a guest."""

    reference: UUID | None = None
    booking_id: int | None = None


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


async def find_bookings(
    pool: Pool, names: Collection[BookingName]
) -> Mapping[BookingName, FoundBooking]:
    """Reads the bookings of names; those that do not exist are missing."""
    if not names:
        return {}
    values = {
        "references": [name.reference for name in names if name.reference],
        "booking_ids": [name.booking_id for name in names if name.booking_id],
    }
    found: dict[BookingName, FoundBooking] = {}
    async with pool.connection() as connection:
        cursor = await connection.execute(SQL["find_bookings"], values)
        for reference, *columns in await cursor.fetchall():
            booking = FoundBooking(*columns)
            found[BookingName(reference=reference)] = booking
            found[BookingName(booking_id=booking.booking_id)] = booking
    return found


def expect_visible(found: FoundBooking | None, name: BookingName, viewer: Viewer) -> FoundBooking:
    """Returns the booking that a name was found to have.

    Raises ReservationNotFound or BookingNotFound if there is none that the viewer may see.
    """
    if name.reference is not None:
        if found is None or not found.is_visible_to(viewer):
            raise ReservationNotFound
    elif found is None or not viewer.sees_by_number(found.user_id, found.organizer_id):
        raise BookingNotFound
    return found
