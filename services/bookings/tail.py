"""Tails: read on for all watched events, and pass what is new to their watchers.

That of the ledger is here. Each process reads for itself, so that nothing is added to a booking's
transaction and no replica depends on another one. While nobody watches, nothing is read.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Generic, TypeAlias, TypeVar

from psycopg.rows import class_row

from services.bookings import metrics
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
READ_AT_ONCE = 1_000
MOST_UNDELIVERED = 4_000
PAUSE_SECONDS = 0.025
REST = 9
"""The pause after a read, in durations of a read: a tenth of the time a backend is busy."""
READS = 4
"""The quickest of so many reads counts: others may have waited for a processor that was busy."""

Row: TypeAlias = tuple[Any, ...]
ChangeT = TypeVar("ChangeT")
StateT = TypeVar("StateT")


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


@dataclass(frozen=True, slots=True)
class News(Generic[ChangeT, StateT]):
    """What was read of one event: its changes up to number `last`, and its state beside them."""

    event_id: int
    changes: Sequence[ChangeT]
    last: int
    state: StateT


@dataclass(eq=False, slots=True)
class Watcher(Generic[ChangeT, StateT]):
    """Collects the changes of one event for one reader, in order and without gaps.

    `state` is the latest one of the event, None if that is not read yet.
    """

    state: StateT | None = None
    is_full: bool = False
    """Whether more than MOST_UNDELIVERED changes were not taken: they are gone."""
    _news: list[ChangeT] = field(default_factory=list)
    _has_news: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, until: float) -> None:
        """Waits for `give` or `wake`, until a time of the loop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._has_news.wait()

    def take(self) -> Sequence[ChangeT]:
        """Takes the collected changes."""
        taken, self._news = self._news, []
        self._has_news.clear()
        return taken

    def give(self, changes: Sequence[ChangeT], state: StateT) -> None:
        """Adds changes."""
        self.state = state
        self._news.extend(changes)
        if len(self._news) > MOST_UNDELIVERED:
            self.is_full, self._news = True, []
        self.wake()

    def wake(self) -> None:
        """Ends `wait`."""
        self._has_news.set()


@dataclass(slots=True)
class Watched(Generic[ChangeT, StateT]):
    """An event that somebody watches, and the last change and the state that were read."""

    after: int
    state: StateT | None = None
    watchers: set[Watcher[ChangeT, StateT]] = field(default_factory=set)

    def pass_on(self, news: News[ChangeT, StateT]) -> None:
        """Passes what was read to all who watch, unless nothing is new."""
        if not news.changes and news.state == self.state:
            return
        self.state = news.state
        self.after = max(self.after, news.last)
        for watcher in self.watchers:
            watcher.give(news.changes, news.state)


class Tail(ABC, Generic[ChangeT, StateT]):
    """Reads on in the changes of events. `pool` is its own: a slow read must not wait for requests.

    A subclass says how to read. Changes have numbers, which an event counts up under a lock that is
    held until the commit: so they become visible in their order.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._events: dict[int, Watched[ChangeT, StateT]] = {}
        self._is_watched = asyncio.Event()
        self._reads: deque[float] = deque(maxlen=READS)
        self.has_ended = False
        """Whether the process is about to stop, so all watching ends."""

    @contextlib.contextmanager
    def watched(self, event_id: int, after: int) -> Iterator[Watcher[ChangeT, StateT]]:
        """Yields a watcher that gets every change after number `after`, which is committed.

        It may get earlier ones, too. Read the event after entering, and skip what is in it: so
        nothing is missed.
        """
        event = self._events.setdefault(event_id, Watched(after))
        watcher: Watcher[ChangeT, StateT] = Watcher(event.state)
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
        self._reads.append(now() - started)
        await asyncio.sleep(pause_after(self._reads))
        return True

    async def read(self) -> None:
        """Reads what is new, and passes it to the watchers."""
        for news in await self._read_on(self._events):
            # It may have no watchers any more, or others than when the read began.
            if event := self._events.get(news.event_id):
                event.pass_on(news)

    async def end(self, is_draining: asyncio.Event) -> None:
        """Ends all watching when the process is about to stop."""
        await is_draining.wait()
        self.has_ended = True
        for event in self._events.values():
            for watcher in event.watchers:
                watcher.wake()

    @abstractmethod
    async def _read_on(
        self, events: Mapping[int, Watched[ChangeT, StateT]]
    ) -> Iterable[News[ChangeT, StateT]]:
        """Reads what follows of each event; an event without anything new may be left out."""


LedgerWatcher: TypeAlias = Watcher[Change, int]


class LedgerTail(Tail[Change, int]):
    """Reads on in the ledger; the state of an event is its version in the catalogue."""

    async def _read_on(self, events: Mapping[int, Watched[Change, int]]) -> list[News[Change, int]]:
        values = {
            "event_ids": list(events),
            "revs": [event.after for event in events.values()],
            "versions": [event.state or 0 for event in events.values()],
            "limit": READ_AT_ONCE,
        }
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(SQL["read_on"], values)).fetchall()
        return [_parsed(event_id, list(found)) for event_id, found in groupby(rows, itemgetter(0))]


class DistributedLedgerTail(LedgerTail):
    """Reads on where events lie on several nodes: their revisions first, then those that grew.

    A node can limit the changes of one event, but not those of each of several.
    """

    async def _read_on(self, events: Mapping[int, Watched[Change, int]]) -> list[News[Change, int]]:
        async with self._pool.connection() as connection:
            asked = {"event_ids": list(events)}
            heads = await (await connection.execute(SQL["read_heads"], asked)).fetchall()
            return [
                _news(event_id, await _list(connection, event_id, event.after, rev), version)
                for event_id, rev, version in heads
                if (event := events.get(event_id)) and (rev, version) != (event.after, event.state)
            ]


def pause_after(reads: Iterable[float]) -> float:
    """Returns the seconds to pause after reads that took so many seconds."""
    return max(PAUSE_SECONDS, REST * min(reads))


async def list_changes(pool: Pool, event_id: int, *, after: int, last: int) -> Sequence[Change]:
    """Reads the changes of an event after a revision, up to `last`."""
    async with pool.connection() as connection:
        return await _list(connection, event_id, after, last, limit=None)


async def _list(
    connection: Connection,
    event_id: int,
    after: int,
    last: int,
    *,
    limit: int | None = READ_AT_ONCE,
) -> list[Change]:
    values = {"event_id": event_id, "after": after, "last": last, "limit": limit}
    cursor = connection.cursor(row_factory=class_row(Change))
    return await (await cursor.execute(SQL["list_changes"], values)).fetchall()


def _parsed(event_id: int, rows: Sequence[Row]) -> News[Change, int]:
    changes = [Change(*columns) for _, _, *columns in rows if columns[0] is not None]
    return _news(event_id, changes, rows[-1][1])


def _news(event_id: int, changes: Sequence[Change], version: int) -> News[Change, int]:
    return News(event_id, changes, changes[-1].rev if changes else 0, version)
