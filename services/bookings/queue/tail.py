"""The tail of queues: reads on in the changes of who waits, for all who watch a queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.bookings.queue.standings import per_minute
from services.bookings.tail import READ_AT_ONCE, News, Tail, Watched, Watcher
from services.kit.database import queries
from services.kit.database.postgres import Connection

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
        after = {event_id: event.after for event_id, event in events.items()}
        async with self._pool.connection() as connection:
            values = {"event_ids": list(after)}
            rows = await (await connection.execute(SQL["read_states"], values)).fetchall()
            return [
                News(
                    event_id,
                    changes := await _changes(connection, event_id, after[event_id], seq),
                    changes[-1].seq if changes else 0,
                    state_of(*state),
                )
                for event_id, seq, *state in rows
            ]


def state_of(
    enabled: bool, is_drawn: bool, opens_at: datetime | None, rate: int, rate_seen: float
) -> QueueState:
    """Returns the state of a queue as its row has it."""
    return QueueState(enabled, is_drawn, opens_at, per_minute(rate, rate_seen))


async def _changes(
    connection: Connection, event_id: int, after: int, last: int
) -> list[QueueChange]:
    """Reads the next changes of a queue, unless the last one was read."""
    if last <= after:
        return []
    values = {"event_id": event_id, "after": after, "limit": READ_AT_ONCE}
    found = await connection.execute(SQL["read_next"], values, binary=True)
    return [QueueChange(*columns) for columns in await found.fetchall()]
