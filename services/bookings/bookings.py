"""Looking at bookings: one, all, a user's, an event's; nothing here changes anything."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.errors import BookingNotFound
from services.kit import queries
from services.kit.paging import Page
from services.kit.postgres import Pool

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Booking:
    """Seats of one event for one user; times are aware, money is minor units for all seats."""

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


class Bookings:
    """Reads bookings."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, booking_id: int) -> Booking:
        """Gets a booking by its number; raises BookingNotFound."""
        found = await self._read("get_booking", id=booking_id)
        if not found:
            raise BookingNotFound
        return found[0]

    async def list_all(self, page: Page) -> list[Booking]:
        """Lists the bookings of a page, and one more if there is a next page."""
        return await self._read("list_bookings", before=page.before, limit=page.limit)

    async def list_of_user(self, user_id: str, page: Page) -> list[Booking]:
        """Lists a user's bookings of a page, and one more if there is a next page."""
        return await self._read(
            "list_user_bookings", user_id=user_id, before=page.before, limit=page.limit
        )

    async def list_of_event(self, event_id: int, page: Page) -> list[Booking]:
        """Lists an event's bookings of a page, and one more if there is a next page."""
        return await self._read(
            "list_event_bookings", event_id=event_id, before=page.before, limit=page.limit
        )

    async def _read(self, statement: str, **values: object) -> list[Booking]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Booking))
            await cursor.execute(SQL[statement], values)
            return await cursor.fetchall()
