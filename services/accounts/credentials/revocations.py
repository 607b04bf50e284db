"""Revocations: ends the access tokens, sessions and API keys of an account.

All access tokens of an account end at once when its generation grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
DEFAULT_REVOCATIONS, MOST_REVOCATIONS = 1_000, 10_000


@dataclass(frozen=True, slots=True)
class Revocation:
    """An account whose tokens of earlier generations are no longer valid."""

    account_id: str
    generation: int


class Revocations:
    """Lists the revocations that can still affect a valid token."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list(self, after: str, limit: int) -> Sequence[Revocation]:
        """Lists revocations of the last 20 minutes by account: at most `limit`, after `after`."""
        most = min(limit or DEFAULT_REVOCATIONS, MOST_REVOCATIONS)
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Revocation))
            values = {"after": after, "limit": most}
            return await (await cursor.execute(SQL["list_revocations"], values)).fetchall()


async def revoke(connection: Connection, account_id: str) -> int:
    """Ends all access tokens of an account, within the caller's transaction.

    Returns the generation of the tokens issued from now on. The other services know within 30
    seconds. Raises LookupError if there is no such account.
    """
    cursor = await connection.execute(SQL["revoke"], {"account_id": account_id})
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(account_id)
    return int(row[0])


async def end_sessions(connection: Connection, account_id: str) -> None:
    """Ends all sessions of an account, within the transaction that changed its generation."""
    await connection.execute(SQL["delete_sessions"], {"account_id": account_id})


async def end_all(connection: Connection, account_id: str) -> None:
    """Ends all sessions and API keys, within the transaction that changed the generation."""
    await end_sessions(connection, account_id)
    await connection.execute(SQL["delete_api_keys"], {"account_id": account_id})
