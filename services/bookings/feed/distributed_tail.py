"""The tail of the feed where events lie on several nodes: it goes by their revisions.

See `services.bookings.progress` for why. The spans of an event, which are on the coordinator, tell
what the feed has of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Rollback
from psycopg.rows import class_row

from services.bookings.feed.tail import Tail
from services.bookings.progress import Behind, Progress, Reached
from services.kit.database import queries
from services.kit.database.postgres import Connection
from services.kit.database.queries import as_json

SQL = queries.load(__file__)
PROGRESS = Progress("fed_rev")


@dataclass(frozen=True, slots=True)
class _Scan:
    event_id: int
    rev: int
    received_at: datetime
    code_id: UUID
    nonce: str
    organizer_id: str | None


class DistributedTail(Tail):
    """Moves the feed forward. It looks less often, for it compares the revisions of all events."""

    EVERY_SECONDS: ClassVar[float] = 1

    async def _move_on(self) -> int:
        """See Tail."""
        async with self._pool.connection() as connection:
            scans = await _list_scans(connection)
            behind = await PROGRESS.list_behind(connection)
            if (scans or behind) and await _add(connection, behind, scans):
                reached = [Reached(event.event_id, event.rev) for event in behind]
                await PROGRESS.note(connection, reached)
            found = await (await connection.execute(SQL["get_position"])).fetchone()
        if found is None:
            raise LookupError("the position of the feed is gone")
        return int(found[0])


async def _list_scans(connection: Connection) -> Sequence[_Scan]:
    cursor = connection.cursor(row_factory=class_row(_Scan))
    return await (await cursor.execute(SQL["list_scans"])).fetchall()


async def _add(connection: Connection, behind: Sequence[Behind], scans: Sequence[_Scan]) -> bool:
    """Adds to the feed; returns False if another replica adds, or has placed some of the scans."""
    async with connection.transaction() as transaction:
        locked = await (await connection.execute(SQL["lock"])).fetchone()
        if locked is None:
            return False
        values = {"position": locked[0], "behind": as_json(behind), "scans": as_json(scans)}
        added = await (await connection.execute(SQL["add"], values)).fetchall()
        if added:
            await connection.execute(SQL["move"], {"position": added[-1][0]})
        is_whole = await _place(connection, added) == len(scans)
        if not is_whole:
            raise Rollback(transaction)
    return is_whole


async def _place(connection: Connection, added: Iterable[tuple[Any, ...]]) -> int:
    """Stores the positions of the scans that were added; returns of how many."""
    placed = 0
    scans = (row for row in added if row[2])
    for event_id, rows in groupby(scans, itemgetter(1)):
        positions, _, code_ids, nonces = map(list, zip(*rows, strict=True))
        values = {
            "event_id": event_id,
            "code_ids": code_ids,
            "nonces": nonces,
            "positions": positions,
        }
        placed += (await connection.execute(SQL["place"], values)).rowcount
    return placed
