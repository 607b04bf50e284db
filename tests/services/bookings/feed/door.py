"""The door of an event: tickets of its guests, and scanners that admit them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.bookings.access import Viewer
from services.bookings.errors import AlreadyUsed
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import Cancel
from services.bookings.inventory.seat_commands import IssueTicket, Seated
from services.bookings.reservations.reservations import Reservations
from services.bookings.tickets.check_in import CheckIn, Scan
from services.bookings.tickets.codes import Code, sign
from services.bookings.tickets.details import DoorTimes, Period
from services.bookings.tickets.keys import TicketKeys
from services.kit.auth.authentication import Caller
from services.kit.database.postgres import Pool
from services.kit.rpc.callers import Role
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert
from tests.services.issuer import account

OWNER = account("owner")
STEWARD = Viewer(Caller(OWNER, Role.ORGANIZER), open_access=False)
NEVER_ENDS = Period(None, None)


@dataclass(frozen=True)
class Admission:
    """A booking with a ticket, and the code that is scanned."""

    booking_id: int
    ticket_id: UUID
    code: str


class Door:
    """Sells tickets of event 1, and scans their codes."""

    def __init__(self, pool: Pool, inventory: Inventory, reservations: Reservations) -> None:
        self._pool = pool
        self._inventory = inventory
        self._reservations = reservations
        self._keys = TicketKeys(pool)
        self._check_in = CheckIn(pool, self._keys, DoorTimes())

    async def open(self, **changes: Any) -> None:
        """Puts the event on sale."""
        await self._inventory.apply(concert(1, organizer_id=OWNER, **changes))

    async def sell(self, user: str) -> Admission:
        """Books a seat and issues its ticket."""
        [booking] = await booked(self._reservations, [seat(1, user)])
        [issued] = await self._inventory.decide([Ask(IssueTicket(1, booking.id))])
        assert isinstance(issued, Seated)
        assert issued.ticket is not None
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT code_id FROM ticket_codes WHERE ticket_id = %s", [issued.ticket.id]
            )
            [code_id] = await found.fetchone() or (None,)
        code = sign(Code(1, code_id, None, NEVER_ENDS), await self._keys.current())
        return Admission(booking.id, issued.ticket.id, code)

    async def scan(self, sold: Admission, nonce: str = "1", at: datetime | None = None) -> None:
        """Scans a code, whether or not it is a double admission."""
        try:
            await self._check_in.admit(Scan(sold.code, nonce, at), STEWARD)
        except AlreadyUsed as refusal:
            if not refusal.is_double:
                raise

    async def cancel(self, sold: Admission) -> None:
        """Cancels a booking."""
        await self._inventory.decide([Ask(Cancel(1, sold.booking_id))])
