"""Writes the bookings of closed events as CANCELLED, in chunks.

They read as CANCELLED from the moment their event is closed, so nothing is decided here.
"""

from datetime import datetime

from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
CANDIDATES = 20
"""How many closed events are looked at for one that no other worker has."""


class Closing:
    """Writes chunks of about `chunk` bookings. `distributed` is the same as for the inventory."""

    def __init__(self, pool: Pool, chunk: int, *, distributed: bool) -> None:
        self._pool = pool
        self._chunk = chunk
        self._untally = SQL["untally_distributed" if distributed else "untally"]

    async def close_chunk(self) -> bool:
        """Writes a chunk of a closed event; returns False if there is nothing to do.

        Ends the waiting of as many entries, and deletes as many claims of seats.
        """
        async with self._pool.connection() as connection:
            found = await connection.execute(SQL["closing_events"], {"limit": CANDIDATES})
            for (event_id,) in await found.fetchall():
                if await self._close(connection, event_id):
                    return True
        return False

    async def _close(self, connection: Connection, event_id: int) -> bool:
        """Writes a chunk of one event; returns False if another worker has it."""
        async with connection.transaction():
            locked = await connection.execute(SQL["lock"], {"event_id": event_id})
            row = await locked.fetchone()
            if row is None:
                return False
            await self._write(connection, event_id, row[0])
        return True

    async def _write(self, connection: Connection, event_id: int, closed_at: datetime) -> None:
        values = {"event_id": event_id, "closed_at": closed_at, "chunk": self._chunk}
        cancelled = await (await connection.execute(SQL["cancel"], values)).fetchall()
        freed = await connection.execute(SQL["free_seats"], values)
        await connection.execute(SQL["forget_map"], values)
        sent_home = await connection.execute(SQL["send_home"], values)
        written = sum(bookings for _, _, bookings, _ in cancelled)
        if max(written, freed.rowcount, sent_home.rowcount) < self._chunk:
            await connection.execute(SQL["finish"], values)
        if not cancelled:
            return
        user_ids, days, bookings, last_ids = zip(*cancelled, strict=True)
        changes = {
            "event_id": event_id,
            "user_ids": list(user_ids),
            "days": list(days),
            "changes": [-count for count in bookings],
            "last_id": max(last_ids),
        }
        await connection.execute(self._untally, changes)
