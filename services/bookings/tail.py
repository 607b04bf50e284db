"""The tail of the ledger: reads on for all watched events, and passes changes to their watchers.

Each process reads for itself, so that nothing is added to a booking's transaction and no replica
depends on another one. While nobody watches, nothing is read.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from services.bookings import metrics
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
READ_AT_ONCE = 1_000
MOST_UNDELIVERED = 4_000
PAUSE_SECONDS = 0.025
REST = 9
"""The pause after a read, in durations of the read: a tenth of the time a backend is busy."""

Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an event, as its ledger has it. `seats` were taken, or freed if negative.

    `place` is that of a waiting user, if it is about one.
    """

    rev: int
    kind: str
    seats: int
    seat_ids: Sequence[int]
    place: int | None
    at: datetime


@dataclass(eq=False, slots=True)
class Watcher:
    """Collects the changes of one event for one reader, in order and without gaps.

    `version` is the latest one of the event in the catalogue, None if that is not read yet.
    """

    version: int | None = None
    is_full: bool = False
    """Whether more than MOST_UNDELIVERED changes were not taken: they are gone."""
    _news: list[Change] = field(default_factory=list)
    _has_news: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, until: float) -> None:
        """Waits for `give` or `wake`, until a time of the loop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._has_news.wait()

    def take(self) -> Sequence[Change]:
        """Takes the collected changes."""
        taken, self._news = self._news, []
        self._has_news.clear()
        return taken

    def give(self, changes: Sequence[Change], version: int) -> None:
        """Adds changes."""
        self.version = version
        self._news.extend(changes)
        if len(self._news) > MOST_UNDELIVERED:
            self.is_full, self._news = True, []
        self.wake()

    def wake(self) -> None:
        """Ends `wait`."""
        self._has_news.set()


@dataclass(slots=True)
class _Watched:
    """An event that somebody watches, and the revision and version that were read last."""

    after: int
    version: int = 0
    watchers: set[Watcher] = field(default_factory=set)


class LedgerTail:
    """Reads on in the ledger. `pool` is its own: a slow read must not wait for requests."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._events: dict[int, _Watched] = {}
        self._is_watched = asyncio.Event()
        self.has_ended = False
        """Whether the process is about to stop, so all watching ends."""

    @contextlib.contextmanager
    def watched(self, event_id: int, rev: int) -> Iterator[Watcher]:
        """Yields a watcher that gets every change after `rev`, which is a committed revision.

        It may get earlier ones, too. Read the event after entering, and skip what is in it: so
        nothing is missed.
        """
        event = self._events.setdefault(event_id, _Watched(rev))
        watcher = Watcher(event.version or None)
        event.watchers.add(watcher)
        self._is_watched.set()
        metrics.WATCHERS.inc()
        try:
            yield watcher
        finally:
            metrics.WATCHERS.dec()
            event.watchers.remove(watcher)
            if not event.watchers:
                del self._events[event_id]
            if not self._events:
                self._is_watched.clear()

    async def follow(self) -> bool:
        """Waits until an event is watched, reads on, and pauses. Returns True, as it never ends."""
        await self._is_watched.wait()
        now = asyncio.get_running_loop().time
        started = now()
        await self.read()
        await asyncio.sleep(max(PAUSE_SECONDS, REST * (now() - started)))
        return True

    async def read(self) -> None:
        """Reads what is new, and passes it to the watchers."""
        values = {
            "event_ids": list(self._events),
            "revs": [event.after for event in self._events.values()],
            "versions": [event.version for event in self._events.values()],
            "limit": READ_AT_ONCE,
        }
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(SQL["read_on"], values)).fetchall()
        for event_id, of_event in groupby(rows, itemgetter(0)):
            # It may have no watchers any more, or others than when the read began.
            if event := self._events.get(event_id):
                _pass_on(event, list(of_event))

    async def end(self, is_draining: asyncio.Event) -> None:
        """Ends all watching when the process is about to stop."""
        await is_draining.wait()
        self.has_ended = True
        for event in self._events.values():
            for watcher in event.watchers:
                watcher.wake()


async def list_changes(pool: Pool, event_id: int, *, after: int, last: int) -> Sequence[Change]:
    """Reads the changes of an event after a revision, up to `last`."""
    values = {"event_id": event_id, "after": after, "last": last}
    async with pool.connection() as connection:
        rows = await (await connection.execute(SQL["list_changes"], values)).fetchall()
    return [Change(*columns) for columns in rows]


def _pass_on(event: _Watched, rows: Sequence[Row]) -> None:
    changes = [Change(*columns) for _, _, *columns in rows if columns[0] is not None]
    event.version = rows[-1][1]
    if changes:
        event.after = max(event.after, changes[-1].rev)
    for watcher in event.watchers:
        watcher.give(changes, event.version)
