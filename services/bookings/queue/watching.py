"""Watches a queue: a snapshot of who waits, then the changes in their order and without gaps."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from services.bookings.errors import QueueOff, TooSlow
from services.bookings.queue.line import Line
from services.bookings.queue.tail import STATE, QueueChange, QueueState, QueueTail, state_of
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.ranked_set import RankedSet

SQL = queries.load(__file__, state=STATE)
WATCH_SECONDS = 600


@dataclass(frozen=True, slots=True)
class LineUpdate:
    """What a caller gets next, up to change `seq`: all places that wait, or changes of them."""

    seq: int
    state: QueueState
    line: Line | None = None
    changes: Sequence[QueueChange] = ()


class QueueWatches:
    """Watches queues. A watch ends after `seconds`, and when the tail ends."""

    def __init__(self, pool: Pool, tail: QueueTail, *, seconds: float = WATCH_SECONDS) -> None:
        self._pool = pool
        self._tail = tail
        self._seconds = seconds

    async def watch(self, event_id: int) -> AsyncGenerator[LineUpdate, None]:
        """Yields who waits, and then every change.

        Raises QueueOff if the event has never had a queue, and TooSlow.
        """
        now = asyncio.get_running_loop().time
        ends_at = now() + self._seconds
        with self._tail.watched(event_id, await self._seq(event_id)) as watcher:
            # Read after the watch began, so that no change falls between the two.
            sent = await self._snapshot(event_id)
            yield sent
            while now() < ends_at and not self._tail.has_ended:
                await watcher.wait(ends_at)
                changes = [change for change in watcher.take() if change.seq > sent.seq]
                state = watcher.state or sent.state
                if watcher.is_full:
                    raise TooSlow
                if changes and changes[0].seq != sent.seq + 1:  # the next ones were forgotten
                    sent = await self._snapshot(event_id)
                elif changes or state != sent.state:
                    sent = LineUpdate(
                        changes[-1].seq if changes else sent.seq, state, None, changes
                    )
                else:
                    continue
                yield sent

    async def _seq(self, event_id: int) -> int:
        async with self._pool.connection() as connection:
            found = await connection.execute(SQL["read_seq"], {"event_id": event_id})
            row = await found.fetchone()
        if row is None:
            raise QueueOff
        return int(row[0])

    async def _snapshot(self, event_id: int) -> LineUpdate:
        async with self._pool.connection() as connection:
            values = {"event_id": event_id}
            found = await connection.execute(SQL["read_snapshot"], values, binary=True)
            row = await found.fetchone()
        if row is None:
            raise QueueOff
        seq, places, *state = row
        # There may be a hundred thousand: other calls must not wait for that.
        waiting = await asyncio.to_thread(RankedSet, places)
        return LineUpdate(seq, state_of(*state), Line(seq, waiting))
