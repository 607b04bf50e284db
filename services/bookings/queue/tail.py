"""The tail of queues: reads on in the changes of who waits, for all who watch a queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from services.bookings.queue.standings import per_minute
from services.bookings.tail import READ_AT_ONCE, News, Row, Tail, Watched, Watcher
from services.kit.database import queries

STATE = """
    enabled,
    draw_size IS NOT NULL AND drawn = draw_size AS is_drawn,
    opens_at,
    rate_per_minute,
    rate_seen
"""
"""The columns of a queue that `state_of` takes."""

SQL = queries.load(__file__, state=STATE)


@dataclass(frozen=True, slots=True)
class QueueChange:
    """Places that wait from now on or, if not `waits`, do not any more."""

    seq: int
    waits: bool
    places: Sequence[int]


@dataclass(frozen=True, slots=True)
class QueueState:
    """What positions and waits depend on, beside who waits.

    `per_minute` is how many are admitted in a minute, 0 if nobody can tell.
    """

    enabled: bool
    is_drawn: bool
    opens_at: datetime | None
    per_minute: float


QueueWatcher = Watcher[QueueChange, QueueState]


class QueueTail(Tail[QueueChange, QueueState]):
    """Reads on in the changes of queues."""

    async def _read_on(
        self, events: Mapping[int, Watched[QueueChange, QueueState]]
    ) -> list[News[QueueChange, QueueState]]:
        values = {
            "event_ids": list(events),
            "seqs": [event.after for event in events.values()],
            "limit": READ_AT_ONCE,
        }
        async with self._pool.connection() as connection:
            found = await connection.execute(SQL["read_on"], values, binary=True)
            rows = await found.fetchall()
        return [_news(event_id, list(of_event)) for event_id, of_event in groupby(rows, _EVENT_ID)]


def state_of(
    enabled: bool, is_drawn: bool, opens_at: datetime | None, rate: int, rate_seen: float
) -> QueueState:
    """Returns the state of a queue as its row has it."""
    return QueueState(enabled, is_drawn, opens_at, per_minute(rate, rate_seen))


def _news(event_id: int, rows: Sequence[Row]) -> News[QueueChange, QueueState]:
    changes = [QueueChange(*row[1:4]) for row in rows if row[1] is not None]
    last = changes[-1].seq if changes else 0
    return News(event_id, changes, last, state_of(*rows[0][4:]))


_EVENT_ID = itemgetter(0)
