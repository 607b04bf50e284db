"""Reads bookings: one, all of them, those of a user or of an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.catalogue.availability import Availability
from services.bookings.errors import BookingNotFound
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.paging import Page

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class BookingDetails:
    """A booking with its event; CANCELLED once its event is closed.

    Times are aware, money is minor units for all seats.
    """

    event_id: int
    id: int
    reference: UUID
    user_id: str
    status: str
    seat_count: int
    price_amount_minor: int | None
    price_currency: str | None
    created_at: datetime
    expires_at: datetime | None
    cancelled_at: datetime | None
    event_name: str
    event_starts_at: datetime | None
    event_organizer_id: str | None
    seat_ids: Sequence[int] = ()

    @property
    def event(self) -> "BookedEvent":
        """The fields of the event that the booking shows."""
        return BookedEvent(self.event_name, self.event_starts_at)


class BookedEvent(NamedTuple):
    """The event of a booking."""

    name: str
    starts_at: datetime | None


class Bookings:
    """Reads bookings; reads unknown events from the catalogue first."""

    def __init__(self, pool: Pool, availability: Availability) -> None:
        self._pool = pool
        self._availability = availability

    async def get(self, booking_id: int, viewer: Viewer) -> BookingDetails:
        """Reads a booking by its number; raises BookingNotFound unless the viewer may see it."""
        return _only(await self._read("get_booking", id=booking_id, **viewer.rows()))

    async def get_by_reference(self, reference: UUID, viewer: Viewer) -> BookingDetails:
        """Reads a booking by its reference, the secret of a guest.

        Raises BookingNotFound unless the viewer may see it.
        """
        rows = viewer.rows(guests=True)
        return _only(await self._read("get_booking_by_reference", reference=reference, **rows))

    async def list_all(self, page: Page, viewer: Viewer) -> list[BookingDetails]:
        """Lists the bookings that the viewer may see, and one more than the page has.

        Raises PermissionDenied.
        """
        viewer.expect_to_list()
        return await self._read(
            "list_bookings", before=page.before, limit=page.limit, **viewer.rows()
        )

    async def list_of_user(self, user_id: str, page: Page, viewer: Viewer) -> list[BookingDetails]:
        """Lists a user's bookings, and one more than the page has.

        Raises PermissionDenied.
        """
        viewer.expect_to_list_user(user_id)
        return await self._read(
            "list_user_bookings", user_id=user_id, before=page.before, limit=page.limit
        )

    async def list_of_event(
        self, event_id: int, page: Page, viewer: Viewer
    ) -> list[BookingDetails]:
        """Lists the bookings of an event that the viewer may see, and one more than the page has.

        Raises EventNotFound for an event that the viewer may not see, PermissionDenied for one
        whose bookings they may not list, and Unavailable.
        """
        seats = await self._availability.get(event_id, viewer)
        viewer.expect_to_list_event(seats.organizer_id)
        return await self._read(
            "list_event_bookings",
            event_id=event_id,
            before=page.before,
            limit=page.limit,
            **viewer.rows(),
        )

    async def list_own(
        self, user_id: str, status: str | None, number: int, page: Page
    ) -> tuple[Sequence[BookingDetails], int]:
        """Lists page `number` of a user's bookings, and counts those on all pages."""
        wanted = {"user_id": user_id, "status": status}
        found = await self._read(
            "list_own_bookings", **wanted, limit=page.size, offset=page.size * (number - 1)
        )
        async with self._pool.connection() as connection:
            [total] = await (await connection.execute(SQL["count_own_bookings"], wanted)).fetchall()
        return found, total[0]

    async def _read(self, statement: str, **values: object) -> list[BookingDetails]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(BookingDetails))
            await cursor.execute(SQL[statement], values)
            return await cursor.fetchall()


def _only(found: Sequence[BookingDetails]) -> BookingDetails:
    if not found:
        raise BookingNotFound
    return found[0]
