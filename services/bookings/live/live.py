"""Watches an event: a snapshot of its seats, then its changes in their order and without gaps."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from services.bookings.errors import EventNotFound, TooSlow
from services.bookings.tail import Change, LedgerTail, LedgerWatcher, list_changes
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
WATCH_SECONDS = 600
MOST_MISSED = 1_000
SIZED = frozenset({"OPENED", "RESIZED", "CLOSED"})
"""Changes that concern all seats: they are shown by a snapshot."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All seats of an event at a revision. Maps have a bit for each of `mapped_seats`."""

    rev: int
    total_seats: int
    left: int
    mapped_seats: int
    status: str
    version: int
    held: int
    sold: int
    blocked: int


@dataclass(frozen=True, slots=True)
class Update:
    """What a caller gets next, up to `rev`: changes, or a snapshot and changes before it."""

    rev: int
    changes: Sequence[Change] = ()
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """What a caller has: a revision of the inventory and a version of the event, 0 for none."""

    rev: int = 0
    version: int = 0


class Live:
    """Watches events. A watch ends after `seconds`, and when the tail ends."""

    def __init__(self, pool: Pool, tail: LedgerTail, *, seconds: float = WATCH_SECONDS) -> None:
        self._pool = pool
        self._tail = tail
        self._seconds = seconds

    async def watch(
        self, event_id: int, rev: int, position: Position, history: int
    ) -> AsyncGenerator[Update, None]:
        """Yields what follows the caller's position, first what is there already.

        `rev` is a committed revision of the event; `history` is how many changes come with a first
        snapshot. Raises EventNotFound when the event is not public any more, and TooSlow.
        """
        now = asyncio.get_running_loop().time
        ends_at = now() + self._seconds
        with self._tail.watched(event_id, rev) as watcher:
            # Read after the watch began, so that no change falls between the two.
            snapshot = await self._snapshot(event_id)
            sent = Position(snapshot.rev, snapshot.version)
            yield await self._first(event_id, snapshot, position, history)
            while now() < ends_at and not self._tail.has_ended:
                await watcher.wait(ends_at)
                changes = [change for change in watcher.take() if change.rev > sent.rev]
                if _needs_snapshot(sent, changes, watcher):
                    snapshot = await self._snapshot(event_id)
                    sent = Position(snapshot.rev, snapshot.version)
                    yield Update(snapshot.rev, snapshot=snapshot)
                elif changes:
                    sent = Position(changes[-1].rev, sent.version)
                    yield Update(sent.rev, changes)

    async def _first(
        self, event_id: int, snapshot: Snapshot, position: Position, history: int
    ) -> Update:
        """Reads what the caller missed, or the history before a snapshot."""
        missed = snapshot.rev - position.rev
        is_near = position.rev > 0 and 0 <= missed <= MOST_MISSED
        if is_near and position.version in {0, snapshot.version}:
            changes = await self._changes_before(event_id, snapshot.rev, missed)
            if len(changes) == missed:
                return Update(snapshot.rev, changes)
        past = await self._changes_before(event_id, snapshot.rev, history)
        return Update(snapshot.rev, past, snapshot)

    async def _changes_before(self, event_id: int, rev: int, count: int) -> Sequence[Change]:
        """Reads the last `count` changes up to a revision, of those that follow a SIZED one."""
        changes = await list_changes(self._pool, event_id, after=rev - count, last=rev)
        latest = takewhile(lambda change: change.kind not in SIZED, reversed(changes))
        return list(latest)[::-1]

    async def _snapshot(self, event_id: int) -> Snapshot:
        async with self._pool.connection() as connection:
            values = {"event_id": event_id}
            cursor = await connection.execute(SQL["read_snapshot"], values, binary=True)
            found = await cursor.fetchone()
        if found is None:
            raise EventNotFound
        is_hidden, *maps, rev, total_seats, left, mapped_seats, status, version = found
        if is_hidden:
            raise EventNotFound
        taken, sold, blocked = (int.from_bytes(each, "little") for each in maps)
        held = taken & ~sold & ~blocked
        return Snapshot(rev, total_seats, left, mapped_seats, status, version, held, sold, blocked)


def _needs_snapshot(sent: Position, changes: Sequence[Change], watcher: LedgerWatcher) -> bool:
    """Returns whether the next update is a snapshot; raises TooSlow for a watcher that is full.

    Revisions have a gap only where the database was restored from a backup.
    """
    if watcher.is_full:
        raise TooSlow
    if watcher.state not in {None, sent.version}:
        return True
    has_gap = bool(changes) and changes[0].rev != sent.rev + 1
    return has_gap or any(change.kind in SIZED for change in changes)
