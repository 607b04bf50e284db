"""Ranks users where events lie on several nodes: by the revisions of each event.

See `services.bookings.progress` for why. The tallies are on the coordinator, with a note of how far
each event is in them. What the nodes have is always read first. What gets into the tallies
meanwhile is then left out, so no booking counts twice or never, whatever commits late on its node.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from psycopg.rows import class_row, dict_row

from services.bookings.lookups import by_keys
from services.bookings.progress import Behind, Progress, Reached
from services.bookings.rankings.rankings import Rankings, load
from services.bookings.revisions import revisions
from services.kit.database import queries
from services.kit.database.postgres import Connection
from services.kit.database.queries import as_json

SQL = queries.load(__file__)
PROGRESS = Progress("tallied_rev")


@dataclass(frozen=True, slots=True)
class _Unread:
    """Revisions of an event that are not read yet, at least one."""

    event_id: int
    revs: Sequence[int]


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
            unread = _first(behind, self._roll_up_chunk)
            if not unread:
                return False
            entries = await _list_entries(connection, unread)
            reached = [Reached(event.event_id, event.revs[-1]) for event in unread]
            if not await _add(connection, entries, reached):
                return False
            await PROGRESS.note(connection, reached)
            return sum(len(event.revs) for event in unread) >= self._roll_up_chunk

    async def _untallied(self, connection: Connection) -> dict[str, object]:
        """Reads the rest of the ledger; of closed events first, which get no more bookings."""
        cursor = connection.cursor(row_factory=dict_row)
        lost = await (await cursor.execute(SQL["list_lost"])).fetchall()
        behind = await PROGRESS.list_behind(connection)
        entries = await _list_entries(connection, _first(behind, sys.maxsize))
        return {"entries": as_json(entries), "lost": as_json(lost)}


def _first(behind: Sequence[Behind], most: int) -> Sequence[_Unread]:
    """Returns the first revisions that events are behind by, event by event: about `most`."""
    unread: list[_Unread] = []
    for event in behind:
        if most <= 0:
            break
        revs = list(revisions(event.after + 1, event.rev, most))
        unread.append(_Unread(event.event_id, revs))
        most -= len(revs)
    return unread


async def _list_entries(connection: Connection, unread: Sequence[_Unread]) -> Sequence[_Entry]:
    """Reads the bookings that came or went in revisions."""
    cursor = connection.cursor(row_factory=class_row(_Entry))
    async with by_keys(connection):
        await cursor.execute(SQL["list_entries"], {"unread": as_json(unread)})
        return await cursor.fetchall()


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
