"""Notices: what other services have people told, each by one letter."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from operator import attrgetter

from psycopg.rows import class_row

from services.accounts.outbox.outbox import Letter
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
FORGOTTEN_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Notice:
    """News of seats that somebody waited for; of the same `id` there is only one."""

    id: str
    account_id: str
    kind: str
    event_name: str
    starts_at: datetime | None
    seat_count: int
    reference: str
    offer_expires_at: datetime | None


class Notices:
    """The notices of the last days."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def accept(self, notices: Iterable[Notice]) -> None:
        """Stores notices with their letters, all or none.

        Passes over those that came before, and those whose account has no address to write to.
        """
        # In one order, so that two replicas with the same notices do not wait for each other.
        ordered = sorted(notices, key=attrgetter("id"))
        values = [asdict(notice) | {"letter": Letter.NOTICE} for notice in ordered]
        async with self._pool.connection() as connection, connection.transaction():
            await connection.cursor().executemany(SQL["accept_notice"], values)

    async def forget(self) -> bool:
        """Forgets notices after 7 days; tells whether there may be more of them."""
        async with self._pool.connection() as connection:
            values = {"limit": FORGOTTEN_AT_ONCE}
            forgotten = await connection.execute(SQL["forget_notices"], values)
        return forgotten.rowcount == FORGOTTEN_AT_ONCE


async def find(connection: Connection, id_: str) -> Notice | None:
    """Finds a notice; None when it is not worth telling any more, or must not be told."""
    cursor = connection.cursor(row_factory=class_row(Notice))
    return await (await cursor.execute(SQL["find_notice"], {"id": id_})).fetchone()


async def withdraw(connection: Connection, account_id: str) -> None:
    """Forgets all notices to an account, within the transaction that erases it."""
    await connection.execute(SQL["withdraw_notices"], {"account_id": account_id})
