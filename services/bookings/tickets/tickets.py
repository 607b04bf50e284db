"""Tickets: issuing and reading them."""

from uuid import UUID

from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.asks import idempotency_key
from services.bookings.errors import TicketNotFound
from services.bookings.inventory import Ask
from services.bookings.inventory.seat_commands import IssueTicket
from services.bookings.references import BookingName, find_visible
from services.bookings.tickets import messages
from services.bookings.tickets.details import TicketDetails
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.paging import Page

SQL = queries.load(__file__)


class Tickets:
    """Finds bookings to issue tickets for, and reads tickets."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ask_for(self, booking: BookingName, viewer: Viewer, request_id: str) -> Ask:
        """Asks for the ticket of a booking.

        Raises ReservationNotFound or BookingNotFound unless the viewer may see the booking. The
        event of a booking never changes, so it is read before any lock.
        """
        event_id, booking_id = await find_visible(self._pool, booking, viewer)
        key = idempotency_key(viewer, "create_ticket", request_id, event_id, booking_id)
        return Ask(IssueTicket(event_id, booking_id), key, messages.issue_response)

    async def get(self, ticket_id: UUID, viewer: Viewer) -> TicketDetails:
        """Reads a ticket; raises TicketNotFound unless the viewer may see it."""
        rows = viewer.rows(guests=True)
        found = await self._read("get_ticket", ticket_id=ticket_id, **rows)
        if not found:
            raise TicketNotFound
        return found[0]

    async def find(self, ticket_id: UUID) -> TicketDetails:
        """Reads a ticket for the service itself, whoever asks; raises TicketNotFound."""
        found = await self._read("find_ticket", ticket_id=ticket_id)
        if not found:
            raise TicketNotFound
        return found[0]

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
