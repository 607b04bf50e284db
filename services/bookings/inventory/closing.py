"""Writes the bookings of closed events as CANCELLED, in chunks.

They read as CANCELLED from the moment their event is closed, so nothing is decided here.
"""

from datetime import datetime

from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
CANDIDATES = 20
"""How many closed events are looked at for one that no other worker has."""


async def close_chunk(pool: Pool, chunk: int) -> bool:
    """Writes up to `chunk` bookings of a closed event; returns False if there is nothing to do.

    Ends the waiting of as many entries, and deletes as many claims of seats.
    """
    async with pool.connection() as connection:
        found = await connection.execute(SQL["closing_events"], {"limit": CANDIDATES})
        for (event_id,) in await found.fetchall():
            if await _close(connection, event_id, chunk):
                return True
    return False


async def _close(connection: Connection, event_id: int, chunk: int) -> bool:
    """Writes a chunk of one event; returns False if another worker has it."""
    async with connection.transaction():
        locked = await connection.execute(SQL["lock"], {"event_id": event_id})
        row = await locked.fetchone()
        if row is None:
            return False
        await _write(connection, event_id, row[0], chunk)
    return True


async def _write(connection: Connection, event_id: int, closed_at: datetime, chunk: int) -> None:
    values = {"event_id": event_id, "closed_at": closed_at, "chunk": chunk}
    cancelled = await (await connection.execute(SQL["cancel"], values)).fetchall()
    freed = await connection.execute(SQL["free_seats"], values)
    await connection.execute(SQL["forget_map"], values)
    sent_home = await connection.execute(SQL["send_home"], values)
    written = sum(bookings for _, _, bookings in cancelled)
    if max(written, freed.rowcount, sent_home.rowcount) < chunk:
        await connection.execute(SQL["finish"], values)
    if not cancelled:
        return
    changes = {
        "user_ids": [user_id for user_id, _, _ in cancelled],
        "days": [day for _, day, _ in cancelled],
        "changes": [-bookings for _, _, bookings in cancelled],
    }
    await connection.execute(SQL["untally"], changes)
