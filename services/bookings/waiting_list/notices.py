"""Notices of the waiting list: users are told by mail that they got seats.

A transaction that assigns seats to an account's user inserts a row into `notices`.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.bookings.leases import Leases
from services.bookings.outbox.outbox import Accounts, Drawer, Outbox
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
NOTICES_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Notice:
    """The booking that a notice is about; an offer if it has an end."""

    id: UUID
    event_id: int
    booking_id: int
    user_id: str
    event_name: str
    event_starts_at: datetime | None
    seat_count: int
    reference: UUID
    offer_expires_at: datetime | None
    is_moot: bool


class Notices(Outbox[Notice, Notice]):
    """Sends notices that are due, again after 10 seconds, 20, 40, then each minute."""

    def __init__(self, pool: Pool, accounts: Accounts[Notice]) -> None:
        leases = Leases(Notice, SQL["lease_notices"], SQL["find_notices"])
        super().__init__(pool, Drawer(leases, SQL["delete_notices"], NOTICES_CHUNK), accounts)

    async def write(self, due: Notice) -> Notice | None:
        """See Outbox."""
        return None if due.is_moot else due
