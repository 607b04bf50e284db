"""The tail of the feed: moves it forward, and wakes those who wait for changes.

The feed is an order of what was committed. A transaction may begin before another and commit after
it, so neither times nor numbers of transactions give such an order. The tail compares snapshots of
PostgreSQL instead: what the present one sees and the former one did not is new. A scan of a ticket
is new while it has no position.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from psycopg.rows import class_row

from services.bookings import metrics
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
KEPT = timedelta(days=30)
FORGOTTEN_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class _Look:
    position: int
    has_news: bool


@dataclass(frozen=True, slots=True)
class _News:
    organizer_id: str | None
    position: int


@dataclass(frozen=True, eq=False, slots=True)
class Waiter:
    """Waits for changes of the events of an organizer, or of all events if that is None."""

    organizer_id: str | None
    has_news: asyncio.Event


class Tail:
    """Moves the feed forward. Each replica has one, and their lock is the row of `feed`."""

    EVERY_SECONDS: ClassVar[float] = 0.25

    def __init__(self, pool: Pool, *, keep: timedelta = KEPT) -> None:
        self._pool = pool
        self._keep = keep
        self._waiters: set[Waiter] = set()
        self._position: int | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiters)

    @contextlib.contextmanager
    def watched(self, organizer_id: str | None) -> Iterator[asyncio.Event]:
        """Yields an event that is set whenever the organizer may have changes.

        Read the feed after entering, and again whenever the event is set: so nothing is missed.
        """
        waiter = Waiter(organizer_id, asyncio.Event())
        self._waiters.add(waiter)
        metrics.FEED_WAITERS.inc()
        try:
            yield waiter.has_news
        finally:
            self._waiters.remove(waiter)
            metrics.FEED_WAITERS.dec()

    async def advance(self) -> bool:
        """Moves the feed to what is committed, here or in another replica; wakes waiters.

        Returns False, as a worker that is done for now.
        """
        position = await self._move_on()
        if self._position is not None and position > self._position:
            await self._wake(self._position)
        self._position = position
        return False

    async def forget(self) -> bool:
        """Deletes a chunk of old spans; returns whether there may be more."""
        values = {"keep": self._keep, "chunk": FORGOTTEN_AT_ONCE}
        async with self._pool.connection() as connection, connection.transaction():
            deleted = await (await connection.execute(SQL["forget"], values)).fetchone()
            count, position = deleted or (0, None)
            if count:
                await connection.execute(SQL["note_forgotten"], {"position": position})
        return bool(count == FORGOTTEN_AT_ONCE)

    async def _move_on(self) -> int:
        """Adds to the feed what is new, unless another replica does; returns the last position."""
        look = await self._look()
        if look.has_news:
            await self._move()
            look = await self._look()
        return look.position

    async def _look(self) -> _Look:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(_Look))
            found = await (await cursor.execute(SQL["look"])).fetchone()
        if found is None:
            raise LookupError("the position of the feed is gone")
        return found

    async def _move(self) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            locked = await (await connection.execute(SQL["lock"])).fetchone()
            if locked is None:
                return
            was_restored, *_ = locked
            await connection.execute(SQL["go_on" if was_restored else "move"])

    async def _wake(self, after: int) -> None:
        """Sets the events of those who wait for changes after a position."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(_News))
            news = await (await cursor.execute(SQL["list_organizers"], {"after": after})).fetchall()
        organizers = {each.organizer_id for each in news}
        for waiter in self._waiters:
            if waiter.organizer_id is None or waiter.organizer_id in organizers:
                waiter.has_news.set()
