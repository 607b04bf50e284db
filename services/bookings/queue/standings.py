"""Where people stand: queues as they were a moment ago, with their lines, shared by all who ask."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from services.bookings.queue.line import Line
from services.kit.concurrency.single_flight import SingleFlight
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.ranked_set import RankedSet

SQL = queries.load(__file__)
KEPT_SECONDS = 1.0
LEAST_RATE = 0.1
"""Admissions in a minute; with fewer nobody can tell how long somebody will wait."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue as it is stored, who is admitted, and how many wait for their places."""

    enabled: bool
    opens_at: datetime | None
    rate_per_minute: int
    max_active: int
    admission_seconds: int
    seed: bytes
    is_drawn: bool
    rate_seen: float
    seq: int
    seconds_to_opening: float | None
    active: int
    undrawn: int


@dataclass(slots=True)
class Standing:
    """A queue with its line, as they were at a time of the loop."""

    queue: QueueRow
    line: Line = field(default_factory=Line)
    read_at: float = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self.line.length + self.queue.undrawn

    def wait_seconds(self, position: int) -> int | None:
        """Estimates in how many seconds somebody is admitted; None if nobody can tell."""
        rate = per_minute(self.queue.rate_per_minute, self.queue.rate_seen)
        if not rate:
            return None
        return round(position * 60 / rate + (self.queue.seconds_to_opening or 0))


def per_minute(rate: int, rate_seen: float) -> float:
    """Returns how many are admitted in a minute: as lately, at most the rate; 0 if too few."""
    lately = min(rate_seen or rate, rate)
    return lately if lately >= LEAST_RATE else 0.0


class Standings:
    """Reads the queues of events, each at most once a second unless something newer is needed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[int, Standing] = {}
        self._read = SingleFlight(self._read_one)

    async def get(self, event_id: int, seq: int = 0) -> Standing | None:
        """Returns a queue that has the change `seq`, or None if the event has never had one."""
        known = self._known.get(event_id)
        now = asyncio.get_running_loop().time()
        if known is not None and now - known.read_at < KEPT_SECONDS and known.queue.seq >= seq:
            return known
        found = await self._read(event_id)
        if found is not None and found.queue.seq < seq:
            # The read had begun before that change was committed.
            found = await self._read(event_id)
        return found

    def forget(self, event_id: int) -> None:
        """Makes the next `get` read the queue."""
        if known := self._known.get(event_id):
            known.read_at = -KEPT_SECONDS

    async def _read_one(self, event_id: int) -> Standing | None:
        now = asyncio.get_running_loop().time()
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(QueueRow))
            await cursor.execute(SQL["read_queue"], {"event_id": event_id})
            queue = await cursor.fetchone()
            if queue is None:
                return None
            known = self._known.get(event_id)
            line = await _line(connection, event_id, known.line if known else None, queue)
        standing = self._known[event_id] = Standing(queue, line, now)
        return standing


async def _line(connection: Connection, event_id: int, known: Line | None, queue: QueueRow) -> Line:
    """Brings a line up to date, at least to the queue's last change."""
    values = {"event_id": event_id, "after": known.seq if known else 0}
    if known is not None:
        found = await connection.execute(SQL["list_changes"], values, binary=True)
        for seq, waits, places in await found.fetchall():
            if seq != known.seq + 1:  # older ones were forgotten
                break
            known.change(seq, waits=waits, places=places)
        if known.seq >= queue.seq:
            return known
    found = await connection.execute(SQL["read_line"], values, binary=True)
    row = await found.fetchone()
    return Line(row[0], RankedSet(row[1] or ())) if row else Line()
