"""The feed of changes and states that the service bookings reads to follow the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from psycopg.rows import class_row, dict_row

from services.events.errors import HistoryGone
from services.events.events import revisions
from services.events.events.revisions import Event
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__, columns=revisions.COLUMNS)
KEPT = timedelta(days=2)
FORGOTTEN_AT_ONCE = 1_000
DEFAULT_CHANGES, MOST_CHANGES = 100, 500
DEFAULT_STATES, MOST_STATES = 500, 1_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Head:
    """An epoch and the last sequence number in it."""

    epoch: str
    sequence: int


@dataclass(frozen=True, slots=True)
class EventChange:
    """A change with its sequence number; the event is as it is now, perhaps changed again."""

    sequence: int
    changed_at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Consecutive changes of the feed, and its head when they were read."""

    changes: Sequence[EventChange]
    head: Head


class Feed:
    """Reads the feed."""

    def __init__(self, pool: Pool, *, keep: timedelta = KEPT) -> None:
        self._pool = pool
        self._keep = keep

    async def list_changes(self, epoch: str, after: int, limit: int) -> ChangePage:
        """Lists at most `limit` changes after a sequence number; epoch "" is the current one.

        Raises HistoryGone for a number of another epoch, one whose next change is forgotten, and
        one past the head: then this catalogue was restored from a backup.
        """
        async with self._pool.connection() as connection:
            await _begin_epoch_if_behind(connection, epoch, after)
            head = await _head(connection)
            cursor = connection.cursor(row_factory=dict_row)
            values = {"after": after, "limit": min(limit or DEFAULT_CHANGES, MOST_CHANGES)}
            rows = await (await cursor.execute(SQL["list_changes"], values)).fetchall()
        changes = [
            EventChange(row.pop("sequence"), row.pop("changed_at"), Event(**row)) for row in rows
        ]
        # Numbers have a gap only where changes were forgotten, perhaps since the head was read.
        first = changes[0].sequence if changes else head.sequence + 1
        if epoch not in ("", head.epoch) or after + 1 < first:
            raise HistoryGone
        return ChangePage(changes, head)

    async def list_states(self, after_event_id: int, limit: int) -> tuple[Sequence[Event], Head]:
        """Lists all events by id. The head is read before them, so no change after it is missed."""
        async with self._pool.connection() as connection:
            head = await _head(connection)
            cursor = connection.cursor(row_factory=class_row(Event))
            values = {"after": after_event_id, "limit": min(limit or DEFAULT_STATES, MOST_STATES)}
            return await (await cursor.execute(SQL["list_states"], values)).fetchall(), head

    async def begin_epoch_if_restored(self) -> None:
        """Begins another epoch if this database was restored; call it at start."""
        async with self._pool.connection() as connection, connection.transaction():
            found = await connection.execute(SQL["begin_epoch_if_restored"])
            epoch, was_restored = await found.fetchone() or ("", False)
            if was_restored:
                await connection.execute(SQL["skip_ids"])
                log.warning("the catalogue is in a new database", epoch=epoch)

    async def forget(self) -> bool:
        """Deletes a chunk of old changes; returns whether there may be more."""
        async with self._pool.connection() as connection:
            values = {"keep": self._keep, "chunk": FORGOTTEN_AT_ONCE}
            deleted = await connection.execute(SQL["forget_changes"], values)
            return deleted.rowcount == FORGOTTEN_AT_ONCE


async def _begin_epoch_if_behind(connection: Connection, epoch: str, after: int) -> None:
    values = {"epoch": epoch, "after": after}
    async with connection.transaction():
        begun = await (await connection.execute(SQL["begin_epoch_if_behind"], values)).fetchone()
        if begun:
            await connection.execute(SQL["skip_ids"])
            log.warning("the catalogue was restored", epoch=begun[0], followed_to=after)


async def _head(connection: Connection) -> Head:
    cursor = connection.cursor(row_factory=class_row(Head))
    head = await (await cursor.execute(SQL["get_head"])).fetchone()
    if head is None:
        raise LookupError("the head of the feed is gone")
    return head
