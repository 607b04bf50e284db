"""The bookings of an event as CSV, chunk by chunk."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.reports import cells
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool, snapshot

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
class Ticket:
    """A ticket, and how many of its codes let somebody in, the first one `checked_in_at`."""

    status: str | None = None
    checked_in: int | None = None
    checked_in_at: datetime | None = None


NO_TICKET = Ticket()


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking with its money."""

    id: int
    reference: UUID
    user_id: str
    status: str
    seat_count: int
    price_amount_minor: int | None
    price_currency: str | None
    paid: int
    refunded: int
    created_at: datetime

    def cells(self, ticket: Ticket) -> tuple[cells.Cell, ...]:
        """Returns the cells of the booking and its ticket, in the order of the columns."""
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
            ticket.status,
            ticket.checked_in,
            _time(ticket.checked_in_at),
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

        Each chunk is a snapshot of its own. Numbers of bookings grow and no booking is ever
        deleted, so each is read once, whatever happens meanwhile.
        """
        yield cells.lines([COLUMNS])
        after, is_last = 0, False
        while not is_last:
            async with self._turns, snapshot(self._pool) as connection:
                bookings = await self._list(connection, event_id, after)
                tickets = await _tickets(connection, event_id, bookings)
            is_last = len(bookings) < self._chunk
            if bookings:
                after = bookings[-1].id
                yield cells.lines(each.cells(tickets.get(each.id, NO_TICKET)) for each in bookings)

    async def _list(self, connection: Connection, event_id: int, after: int) -> list[Booking]:
        values = {"event_id": event_id, "after": after, "limit": self._chunk}
        cursor = connection.cursor(row_factory=class_row(Booking))
        return await (await cursor.execute(SQL["list_bookings"], values)).fetchall()


async def _tickets(
    connection: Connection, event_id: int, bookings: Sequence[Booking]
) -> dict[int, Ticket]:
    """Reads the tickets of bookings, by the numbers of these."""
    values = {"event_id": event_id, "booking_ids": [booking.id for booking in bookings]}
    rows = await (await connection.execute(SQL["list_tickets"], values)).fetchall()
    return {booking_id: Ticket(*columns) for booking_id, *columns in rows}


def _time(moment: datetime | None) -> str | None:
    """Writes a time in UTC as RFC 3339, as JSON has it."""
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
