"""Tickets: issuing and reading them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.asks import idempotency_key, read_each
from services.bookings.errors import TicketNotFound
from services.bookings.inventory import Ask
from services.bookings.inventory.seat_commands import IssueTicket
from services.bookings.references import BookingName, FoundBooking, expect_visible, find_bookings
from services.bookings.tickets import messages
from services.bookings.tickets.details import TicketDetails
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal
from services.kit.rpc.paging import Page

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """A request for the ticket of a booking."""

    booking: BookingName
    viewer: Viewer
    request_id: str = ""


class Tickets:
    """Finds bookings to issue tickets for, and reads tickets."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def asks_of(self, requests: Sequence[TicketRequest]) -> list[Ask | Refusal]:
        """Finds the bookings to issue tickets for.

        Returns ReservationNotFound or BookingNotFound if the viewer may not see one. The event of a
        booking never changes, so it is read before any lock.
        """
        found = await find_bookings(self._pool, [request.booking for request in requests])
        return read_each(requests, lambda request: _ask(request, found))

    async def get(self, ticket_id: UUID, viewer: Viewer) -> TicketDetails:
        """Reads a ticket; raises TicketNotFound unless the viewer may see it."""
        found = await self.find(ticket_id)
        if not found.is_visible_to(viewer):
            raise TicketNotFound
        return found

    async def find(self, ticket_id: UUID) -> TicketDetails:
        """Reads a ticket for the service itself, whoever asks; raises TicketNotFound."""
        found = await self.find_all([ticket_id])
        if not found:
            raise TicketNotFound
        return found[ticket_id]

    async def find_all(self, ticket_ids: Collection[UUID]) -> Mapping[UUID, TicketDetails]:
        """Reads tickets, whoever asks; those that do not exist are missing."""
        if not ticket_ids:
            return {}
        found = await self._read("find_tickets", ticket_ids=list(ticket_ids))
        return {ticket.ticket_id: ticket for ticket in found}

    async def list_of_user(self, user_id: str, page: Page, viewer: Viewer) -> list[TicketDetails]:
        """Lists a user's tickets, and one more than the page has. Raises PermissionDenied."""
        viewer.expect_to_list_user(user_id)
        return await self._read(
            "list_user_tickets", user_id=user_id, before=page.before, limit=page.limit
        )

    async def _read(self, statement: str, **values: object) -> list[TicketDetails]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(TicketDetails))
            await cursor.execute(SQL[statement], values)
            return await cursor.fetchall()


def _ask(request: TicketRequest, found: Mapping[BookingName, FoundBooking]) -> Ask:
    viewer, name = request.viewer, request.booking
    booking = expect_visible(found.get(name), name, viewer)
    event_id, booking_id = booking.event_id, booking.booking_id
    key = idempotency_key(viewer, "create_ticket", request.request_id, event_id, booking_id)
    return Ask(IssueTicket(event_id, booking_id), key, messages.issue_response)
