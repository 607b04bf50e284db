"""Sends letters through accounts: a user gets each valid ticket by mail, with its documents.

The statement that makes a ticket valid, or another user's, makes a letter due. It is sent until
accounts confirms it, and accounts ignores repeated ones: so none is lost, and none is mailed twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog
from psycopg.rows import class_row

from services.bookings.errors import NoCalendar
from services.bookings.tickets.details import TicketDetails
from services.bookings.tickets.documents import Documents
from services.bookings.tickets.printed import Document
from services.bookings.tickets.tickets import Tickets
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal

SQL = queries.load(__file__)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Due:
    """A letter to the account that had a ticket when the letter became due."""

    id: UUID
    event_id: int
    ticket_id: UUID
    user_id: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A ticket with its documents. An event without a start has no calendar."""

    id: UUID
    ticket: TicketDetails
    pdf: Document
    calendar: Document | None


class Accounts(Protocol):
    """The service accounts, which mails letters."""

    async def send_notices(self, notices: Sequence[Letter]) -> None:
        """Sends letters, all or none. After a Refusal it is unknown whether accounts has them."""


class Letters:
    """Sends letters that are due."""

    def __init__(
        self, pool: Pool, tickets: Tickets, documents: Documents, accounts: Accounts
    ) -> None:
        self._pool = pool
        self._tickets = tickets
        self._documents = documents
        self._accounts = accounts

    async def send(self) -> bool:
        """Sends a letter that is due; returns False, so that the worker pauses after each.

        Drawing takes a processor, and the pauses leave most of it to requests. A letter that
        events or accounts did not take is due again after 10 seconds, 20, 40, then every five
        minutes. A ticket that does not admit any more, or that is another user's, needs no letter.
        """
        due = await self._lease()
        if due is None:
            return False
        ticket = await self._tickets.find(due.ticket_id)
        if ticket.status == "VALID" and ticket.user_id == due.user_id:
            try:
                await self._accounts.send_notices([await self._write(due, ticket)])
            except Refusal as refusal:
                log.warning("letter with a ticket waits", letter=str(due.id), reason=refusal.reason)
                return False
        await self._end(due)
        return False

    async def _write(self, due: Due, ticket: TicketDetails) -> Letter:
        try:
            calendar = await self._documents.calendar(ticket)
        except NoCalendar:
            calendar = None
        return Letter(due.id, ticket, await self._documents.pdf(ticket), calendar)

    async def _lease(self) -> Due | None:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Due))
            return await (await cursor.execute(SQL["lease_letter"])).fetchone()

    async def _end(self, due: Due) -> None:
        values = {"event_id": due.event_id, "ticket_id": due.ticket_id, "id": due.id}
        async with self._pool.connection() as connection:
            await connection.execute(SQL["end_letter"], values)
