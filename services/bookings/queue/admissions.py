"""Moves queues forward: opens them, draws places, admits whoever is next, passes over the absent.

Each replica tries; the lock of a queue's row decides who does it. After a crash all of it goes on.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from psycopg.rows import class_row

from services.bookings.lookups import by_keys
from services.bookings.queue.draw import draw
from services.bookings.queue.queues import record
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
PRESENT_SECONDS = 45
AWAY_SECONDS = 600
TICK_SECONDS = 1.0
DRAWN_AT_ONCE = 5_000
SENT_AWAY_AT_ONCE = 5_000
KEPT_CHANGES = 1_000
LONGEST_SECONDS = 5.0
"""A longer pause between ticks is an outage. It counts as this, so that nobody rushes in after it,
and it makes nobody absent.
"""

_orders = lru_cache(maxsize=2)(draw)


@dataclass(frozen=True, slots=True)
class LockedQueue:
    """A queue whose row is locked; `seconds` have passed since the last tick, None if none was."""

    is_open: bool
    rate_per_minute: int
    max_active: int
    admission_seconds: int
    last_id: int
    draw_size: int | None
    drawn: int
    seed: bytes
    credit: float
    rate_seen: float
    seconds: float | None
    now: datetime

    @property
    def is_drawing(self) -> bool:
        """Whether places are left to be drawn."""
        return self.draw_size is not None and self.drawn < self.draw_size

    @property
    def was_unattended(self) -> bool:
        """Whether there were no ticks for so long that nobody can have shown a sign of life."""
        return self.seconds is not None and self.seconds > LONGEST_SECONDS

    def credited(self) -> float:
        """Returns how many may be admitted now by the rate, with a fraction."""
        a_second = self.rate_per_minute / 60
        seconds = TICK_SECONDS if self.seconds is None else min(self.seconds, LONGEST_SECONDS)
        # At most two seconds' worth, so that a full house is no reason for a rush afterwards.
        return min(self.credit + a_second * seconds, max(1.0, 2 * a_second))

    def rate_after(self, admitted: int, room: int) -> float:
        """Returns the admissions in a minute lately, of the times when people waited for room."""
        seconds = min(self.seconds or TICK_SECONDS, 60)
        present = 60 * admitted / seconds if admitted == room else self.rate_per_minute
        known = self.rate_seen or self.rate_per_minute
        return known + (1 - math.exp(-seconds / 60)) * (present - known)


class Admissions:
    """Works on all queues that are on."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def admit(self) -> bool:
        """Opens queues and admits whoever is next. Returns False, as a worker that is done."""
        await self._each(self._tick)
        return False

    async def draw(self) -> bool:
        """Draws the next places; returns whether there are more."""
        return any(await self._each(self._draw))

    async def sweep(self) -> bool:
        """Takes the absent out of their lines; returns whether there may be more."""
        return any(await self._each(self._sweep))

    async def _each(
        self, work: Callable[[Connection, int, LockedQueue], Awaitable[bool]]
    ) -> list[bool]:
        """Does work on each queue that is on, in a transaction that has it locked."""
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(SQL["list_queues"])).fetchall()
            done = []
            for (event_id,) in rows:
                async with by_keys(connection):
                    await connection.execute(SQL["go_by_places"])
                    cursor = connection.cursor(row_factory=class_row(LockedQueue))
                    await cursor.execute(SQL["lock_queue"], {"event_id": event_id})
                    queue = await cursor.fetchone()
                    done.append(queue is not None and await work(connection, event_id, queue))
            return done

    async def _tick(self, connection: Connection, event_id: int, queue: LockedQueue) -> bool:
        values: dict[str, object] = {"event_id": event_id, "now": queue.now}
        if queue.was_unattended:
            await connection.execute(SQL["allow_a_long_statement"])
            await connection.execute(SQL["excuse"], values | {"seconds": queue.seconds})
        if not queue.is_open or queue.is_drawing:
            await connection.execute(SQL["note_attendance"], values)
            return False
        if queue.draw_size is None:
            await connection.execute(SQL["open"], values)
            return False
        if queue.seconds is not None and queue.seconds < TICK_SECONDS * 0.9:
            return False  # another replica was faster
        await connection.execute(SQL["end_admissions"], values)
        [active] = await _row(connection, "count_active", values)
        credit = queue.credited()
        room = max(0, min(queue.max_active - active, int(credit)))
        values |= {
            "admission_seconds": queue.admission_seconds,
            "present_seconds": PRESENT_SECONDS,
            "room": room,
        }
        admitted = await (await connection.execute(SQL["admit"], values)).fetchall()
        await record(connection, event_id, [place for (place,) in admitted], waits=False)
        values |= {
            "credit": credit - len(admitted),
            "rate_seen": queue.rate_after(len(admitted), room),
        }
        await connection.execute(SQL["note_tick"], values)
        return False

    async def _draw(self, connection: Connection, event_id: int, queue: LockedQueue) -> bool:
        if queue.draw_size is None or not queue.is_drawing:
            return False
        order = await asyncio.to_thread(_orders, queue.seed, queue.draw_size)
        ids = order[queue.drawn : queue.drawn + DRAWN_AT_ONCE]
        places = list(range(queue.drawn + 1, queue.drawn + len(ids) + 1))
        values = {"event_id": event_id, "ids": ids, "places": places}
        await connection.execute(SQL["draw"], values)
        return queue.drawn + len(ids) < queue.draw_size

    async def _sweep(self, connection: Connection, event_id: int, queue: LockedQueue) -> bool:
        if queue.was_unattended:
            return False  # the next tick comes first
        values = {
            "event_id": event_id,
            "now": queue.now,
            "present_seconds": PRESENT_SECONDS,
            "away_seconds": AWAY_SECONDS,
            "chunk": SENT_AWAY_AT_ONCE,
            "kept": KEPT_CHANGES,
        }
        rows = await (await connection.execute(SQL["send_away"], values)).fetchall()
        await record(connection, event_id, [place for (place,) in rows], waits=False)
        await connection.execute(SQL["end_away"], values)
        await connection.execute(SQL["forget_changes"], values)
        return len(rows) == SENT_AWAY_AT_ONCE


async def _row(connection: Connection, name: str, values: dict[str, object]) -> tuple[int, ...]:
    found = await (await connection.execute(SQL[name], values)).fetchone()
    if found is None:
        raise LookupError(f"{name} has no row")
    return found
