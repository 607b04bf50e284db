"""The bookings of an event as CSV, chunk by chunk."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.reports import cells
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
CHUNK = 500
AT_ONCE = 1
"""Chunks that one replica reads at once. A slow client holds no connection between them."""
COLUMNS = (
    "booking_id",
    "reference",
    "user_id",
    "status",
    "seats",
    "price_minor",
    "currency",
    "paid_minor",
    "refunded_minor",
    "ticket_status",
    "checked_in",
    "checked_in_at",
    "created_at",
)


@dataclass(frozen=True, slots=True)
class BookingLine:
    """A booking with its money and its ticket, in the order of the columns."""

    id: int
    reference: UUID
    user_id: str
    status: str
    seat_count: int
    price_amount_minor: int | None
    price_currency: str | None
    paid: int
    refunded: int
    ticket_status: str | None
    checked_in: int | None
    checked_in_at: datetime | None
    created_at: datetime

    def cells(self) -> tuple[cells.Cell, ...]:
        """Returns the cells."""
        return (
            self.id,
            str(self.reference),
            self.user_id,
            self.status,
            self.seat_count,
            self.price_amount_minor,
            self.price_currency,
            self.paid,
            self.refunded,
            self.ticket_status,
            self.checked_in,
            _time(self.checked_in_at),
            _time(self.created_at),
        )


class Sheets:
    """Reads the bookings of events as CSV."""

    def __init__(self, pool: Pool, *, chunk: int = CHUNK) -> None:
        self._pool = pool
        self._chunk = chunk
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def read(self, event_id: int) -> AsyncIterator[bytes]:
        """Yields the names of the columns, then all bookings in the order of their numbers.

        Each chunk is a read of its own. Numbers of bookings grow and no booking is ever deleted, so
        each is read once, whatever happens meanwhile.
        """
        yield cells.lines([COLUMNS])
        after, is_last = 0, False
        while not is_last:
            found = await self._list(event_id, after)
            is_last = len(found) < self._chunk
            if found:
                after = found[-1].id
                yield cells.lines(line.cells() for line in found)

    async def _list(self, event_id: int, after: int) -> list[BookingLine]:
        values = {"event_id": event_id, "after": after, "limit": self._chunk}
        async with self._turns, self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(BookingLine))
            return await (await cursor.execute(SQL["list_bookings"], values)).fetchall()


def _time(moment: datetime | None) -> str | None:
    """Writes a time in UTC as RFC 3339, as JSON has it."""
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
