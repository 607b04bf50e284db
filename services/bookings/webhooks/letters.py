"""Letters about webhooks: an organizer learns that one was disabled.

The statement that disables a webhook makes its letter due.
"""

from dataclasses import dataclass
from uuid import UUID

from services.bookings.leases import Leases
from services.bookings.outbox.outbox import Accounts, Drawer, Outbox
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to the owner of a webhook that was disabled for a reason."""

    id: UUID
    webhook_id: UUID
    owner_id: str
    url: str
    reason: str


class WebhookLetters(Outbox[Letter, Letter]):
    """Sends letters that are due, again after 10 seconds."""

    def __init__(self, pool: Pool, accounts: Accounts[Letter]) -> None:
        leases = Leases(Letter, SQL["lease_letters"])
        super().__init__(pool, Drawer(leases, SQL["end_letters"]), accounts)

    async def write(self, due: Letter) -> Letter:
        """See Outbox."""
        return due
