"""The keys that sign codes of tickets, and their rotation."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
PUBLISHED_BEFORE_USE = timedelta(days=1)
"""Scanners without a network load the keys at most so long before they need them."""
LOADED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class TicketKey:
    """A key that signs codes from a time until that of the next key."""

    id: int
    public_key: bytes
    private_key: bytes = field(repr=False)
    signs_from: datetime


class TicketKeys:
    """Keeps the key ring in memory for a minute; makes its first key, and rotates keys."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._keys: Sequence[TicketKey] = ()
        self._loaded_at = -float(LOADED_SECONDS)

    async def list(self) -> Sequence[TicketKey]:
        """Lists the keys in the order in which they start to sign; makes one if there is none."""
        if not self._keys or time.monotonic() - self._loaded_at >= LOADED_SECONDS:
            async with self._pool.connection() as connection:
                self._keys = await _load(connection)
                if not self._keys:
                    await _add(connection, timedelta())
                    self._keys = await _load(connection)
            self._loaded_at = time.monotonic()
        return self._keys

    async def current(self) -> TicketKey:
        """Returns the key to sign with now."""
        now = datetime.now(UTC)
        keys = await self.list()
        return next((key for key in reversed(keys) if key.signs_from <= now), keys[0])

    async def rotate(self, *, lead: timedelta = PUBLISHED_BEFORE_USE) -> None:
        """Adds a key that signs after `lead`. Former keys stay, and so do codes they signed."""
        async with self._pool.connection() as connection:
            await _add(connection, lead)

    async def replace(self) -> None:
        """Adds a key that signs at once and deletes all others, as they are compromised.

        Tickets stay valid; their codes have to be fetched again.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(SQL["delete_keys"])
            await _add(connection, timedelta())


async def _load(connection: Connection) -> Sequence[TicketKey]:
    cursor = connection.cursor(row_factory=class_row(TicketKey))
    return await (await cursor.execute(SQL["list_keys"])).fetchall()


async def _add(connection: Connection, lead: timedelta) -> None:
    private = Ed25519PrivateKey.generate()
    values = {
        "private_key": private.private_bytes_raw(),
        "public_key": private.public_key().public_bytes_raw(),
        "lead": lead,
    }
    await connection.execute(SQL["add_key"], values)
