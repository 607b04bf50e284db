"""Ranks users where events lie on several nodes: by the revisions of each event.

See `services.bookings.progress` for why. The tallies are on the coordinator, with a note of how far
each event is in them. What the nodes have is always read first. What gets into the tallies
meanwhile is then left out, so no booking counts twice or never, whatever commits late on its node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from psycopg.rows import class_row, dict_row

from services.bookings.progress import Behind, Progress, Reached
from services.bookings.rankings.rankings import Rankings, load
from services.kit.database import queries
from services.kit.database.postgres import Connection
from services.kit.database.queries import as_json

SQL = queries.load(__file__)
PROGRESS = Progress("tallied_rev")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A booking that came (1) or went (-1), by the day on which it was made."""

    event_id: int
    rev: int
    user_id: str
    day: date
    bookings: int


class DistributedRankings(Rankings):
    """Ranks users by their live bookings. Each ranking compares the revisions of all events.

    So does each roll-up, which therefore comes less often.
    """

    EVERY_SECONDS: ClassVar[float] = 5
    TOP_USERS: ClassVar[bytes] = load(SQL["untallied"])["list_top_users"]

    async def roll_up(self) -> bool:
        """Adds a chunk of the ledger to the tallies; returns whether there may be more."""
        async with self._pool.connection() as connection:
            behind = await PROGRESS.list_behind(connection)
            if not behind:
                return False
            entries = await _list_entries(connection, behind, self._roll_up_chunk)
            has_more = len(entries) == self._roll_up_chunk
            reached = _reached(behind, entries[-1] if has_more else None)
            if not await _add(connection, entries, reached):
                return False
            await PROGRESS.note(connection, reached)
            return has_more

    async def _untallied(self, connection: Connection) -> dict[str, object]:
        """Reads the rest of the ledger; of closed events first, which get no more bookings."""
        cursor = connection.cursor(row_factory=dict_row)
        lost = await (await cursor.execute(SQL["list_lost"])).fetchall()
        behind = await PROGRESS.list_behind(connection)
        entries = await _list_entries(connection, behind, None)
        return {"entries": as_json(entries), "lost": as_json(lost)}


async def _list_entries(
    connection: Connection, behind: Sequence[Behind], limit: int | None
) -> Sequence[_Entry]:
    """Reads what events are behind by, in the order of events and revisions."""
    if not behind:
        return []
    values = {"behind": as_json(behind), "limit": limit}
    cursor = connection.cursor(row_factory=class_row(_Entry))
    return await (await cursor.execute(SQL["list_entries"], values)).fetchall()


def _reached(behind: Sequence[Behind], last: _Entry | None) -> Sequence[Reached]:
    """Returns up to which revisions events were read; `last` is the last entry of a full chunk."""
    if last is None:
        return [Reached(event.event_id, event.rev) for event in behind]
    whole = [
        Reached(event.event_id, event.rev) for event in behind if event.event_id < last.event_id
    ]
    return [*whole, Reached(last.event_id, last.rev)]


async def _add(
    connection: Connection, entries: Sequence[_Entry], reached: Sequence[Reached]
) -> bool:
    """Adds entries to the tallies; returns False if somebody else changes the tallies."""
    async with connection.transaction():
        if not await (await connection.execute(SQL["lock"])).fetchone():
            return False
        values = {"entries": as_json(entries), "reached": as_json(reached)}
        await connection.execute(SQL["roll_up"], values)
    return True
