"""Sends letters through accounts: an organizer learns that a webhook was disabled.

The statement that disables a webhook makes a letter due. It is sent until accounts confirms it, and
accounts ignores repeated ones: so none is lost, and none is mailed twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog
from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal

SQL = queries.load(__file__)
RETRY_SECONDS = 10

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to the owner of a webhook that was disabled for a reason."""

    id: UUID
    webhook_id: UUID
    owner_id: str
    url: str
    reason: str


class Accounts(Protocol):
    """The service accounts, which mails letters."""

    async def send_notices(self, notices: Sequence[Letter]) -> None:
        """Sends letters, all or none. After a Refusal it is unknown whether accounts has them."""


class Letters:
    """Sends letters that are due."""

    def __init__(self, pool: Pool, accounts: Accounts) -> None:
        self._pool = pool
        self._accounts = accounts

    async def send(self) -> bool:
        """Sends a letter; returns whether there may be more.

        A refused letter is due again after 10 seconds.
        """
        letter = await self._lease()
        if letter is None:
            return False
        try:
            await self._accounts.send_notices([letter])
        except Refusal as refusal:
            log.warning("letter about a webhook waits for accounts", reason=refusal.reason)
            return False
        async with self._pool.connection() as connection:
            await connection.execute(SQL["end_letter"], {"id": letter.id})
        return True

    async def _lease(self) -> Letter | None:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Letter))
            values = {"retry_seconds": RETRY_SECONDS}
            return await (await cursor.execute(SQL["lease_letter"], values)).fetchone()
