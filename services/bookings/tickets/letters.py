"""Letters with tickets: a user gets each valid ticket by mail, with its documents.

The statement that makes a ticket valid, or another user's, makes a letter due.
"""

from dataclasses import dataclass
from uuid import UUID

from services.bookings.errors import NoCalendar
from services.bookings.leases import Leases
from services.bookings.outbox.outbox import Accounts, Drawer, Outbox
from services.bookings.tickets.details import TicketDetails
from services.bookings.tickets.documents import Documents
from services.bookings.tickets.printed import Document
from services.bookings.tickets.tickets import Tickets
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Due:
    """A letter to the account that had a ticket when the letter became due."""

    id: UUID
    event_id: int
    ticket_id: UUID
    user_id: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A ticket with its documents, and the time zone of its event.

    An event without a start has no calendar.
    """

    id: UUID
    ticket: TicketDetails
    time_zone: str
    pdf: Document
    calendar: Document | None


class TicketLetters(Outbox[Due, Letter]):
    """Sends letters that are due, again after 10 seconds, 20, 40, then every five minutes."""

    def __init__(
        self, pool: Pool, tickets: Tickets, documents: Documents, accounts: Accounts[Letter]
    ) -> None:
        leases = Leases(Due, SQL["lease_letters"], SQL["find_letters"])
        super().__init__(pool, Drawer(leases, SQL["end_letters"]), accounts)
        self._tickets = tickets
        self._documents = documents

    async def write(self, due: Due) -> Letter | None:
        """See Outbox. Raises Unavailable while events is down.

        A ticket that does not admit any more, or that is another user's, needs no letter.
        """
        ticket = await self._tickets.find(due.ticket_id)
        if ticket.status != "VALID" or ticket.user_id != due.user_id:
            return None
        place = await self._documents.place(ticket)
        try:
            calendar = await self._documents.calendar(ticket)
        except NoCalendar:
            calendar = None
        pdf = await self._documents.pdf(ticket)
        return Letter(due.id, ticket, place.time_zone, pdf, calendar)
