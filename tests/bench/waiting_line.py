"""Measures a queue before a sale: `python -m tests.bench.waiting_line --people 100000`.

It joins people, draws their places, admits them, and counts positions as a gateway does, on a
database of its own. Processor time is that of the database's backends and of this process, so it
depends on others less than durations do.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from boxoffice.bookings.v1 import queue_pb2
from deploy.local.postgres.server import temporary_postgres
from gateway.live.event_stream import encode
from gateway.live.pace import PACE
from gateway.live.pages import Page
from gateway.live.queues.line import SELDOM, WaitingLine
from services.bookings.access import Viewer
from services.bookings.inventory import Ask, EventState, Inventory
from services.bookings.inventory.queue_commands import QueueSettings, SetQueue
from services.bookings.queue import messages
from services.bookings.queue.admissions import PRESENT_SECONDS, Admissions
from services.bookings.queue.queues import Holder, Queues
from services.bookings.queue.tail import QueueTail
from services.bookings.queue.watching import QueueWatches
from services.kit.database.postgres import Pool
from services.kit.rpc.callers import ANONYMOUS
from services.migrate import migrate_all
from tests.conftest import PASSWORDS, TEMPLATE, cloned
from tests.pools import patient_pool

EVENT_ID = 1
JOINED_AT_ONCE = 128
REPORTED_AT_ONCE = 5_000
HELD = 10_000
"""Clients that one gateway has."""
TICKS = 10
SEED = bytes(32)


@dataclass(slots=True)
class Client:
    """A client that takes everything at once."""

    written: int = 0
    is_full: bool = False

    def write(self, page: Page) -> None:
        """See Watcher."""
        self.written += len(page.encoded(encode))

    def end(self) -> None:
        """See Watcher."""


class Measuring:
    """A queue of so many people."""

    def __init__(self, pool: Pool, people: int) -> None:
        self._pool = pool
        self._people = people
        self._queues = Queues(pool)
        self._admissions = Admissions(pool)
        self._tokens: list[str] = []

    async def run(self) -> None:
        """Measures everything, and prints a line for each."""
        inventory = Inventory(self._pool)
        await inventory.apply(EventState(EVENT_ID, 1, "Rush", self._people, "PUBLISHED"))
        [(opens_at,)] = await self._rows("SELECT present() + interval '1 hour'")
        settings = QueueSettings(SEED, opens_at, 60_000, 100_000, 600)
        viewer = Viewer(ANONYMOUS, open_access=True)
        await inventory.decide([Ask(SetQueue(EVENT_ID, True, settings, viewer))])
        await self._measure("join", self._join, self._people)
        await self._rows("UPDATE queues SET opens_at = present()")
        await self._admissions.admit()
        await self._measure("draw", self._draw, self._people)
        await self._rows("UPDATE queue_entries SET seen_at = seen_at - interval '20 seconds'")
        await self._measure("report presence", self._report, self._people)
        await self._watch()
        await self._measure("admission tick", self._tick, TICKS)
        await self._rows(f"""
            UPDATE queue_entries SET seen_at = seen_at - interval '{PRESENT_SECONDS} seconds'
            WHERE id % 3 = 0
        """)
        await self._measure("admission tick, a third silent", self._tick, TICKS)
        await self._measure("send the silent away", self._sweep, self._people // 3)

    async def _join(self) -> None:
        for first in range(0, self._people, JOINED_AT_ONCE):
            users = [f"user-{n}" for n in range(first, min(first + JOINED_AT_ONCE, self._people))]
            self._tokens += [each.token for each in await self._queues.join(EVENT_ID, users)]

    async def _draw(self) -> None:
        while await self._admissions.draw():
            pass

    async def _report(self) -> None:
        for first in range(0, self._people, REPORTED_AT_ONCE):
            tokens = self._tokens[first : first + REPORTED_AT_ONCE]
            await self._queues.see([Holder(EVENT_ID, token) for token in tokens])

    async def _tick(self) -> None:
        for _ in range(TICKS):
            await self._rows("UPDATE queues SET ticked_at = present() - interval '1 second'")
            await self._admissions.admit()

    async def _sweep(self) -> None:
        while await self._admissions.sweep():
            pass

    async def _watch(self) -> None:
        """Reads the line as a gateway does, and tells positions."""
        began = time.process_time()
        watches = QueueWatches(self._pool, QueueTail(self._pool))
        updates = watches.watch(EVENT_ID)
        [response] = messages.responses(await anext(updates))
        await updates.aclose()
        _print("snapshot in bookings", time.process_time() - began, 1)
        print(f"    {len(response.line.waiting)} bytes")
        began = time.process_time()
        line = WaitingLine(EVENT_ID, response, PACE)
        _print("snapshot in the gateway", time.process_time() - began, 1)
        self._tell(line)

    def _tell(self, line: WaitingLine) -> None:
        places = random.sample(range(1, self._people + 1), min(HELD, self._people))
        began = time.process_time()
        for place in places:
            held = queue_pb2.HeldPlace(state=queue_pb2.QUEUE_STATE_WAITING, place=place)
            line.join("token", held, Client())
        _print("first update of a client", time.process_time() - began, len(places))
        used, rounds = 0.0, 2 * SELDOM
        for place in range(1, rounds + 1):
            change = queue_pb2.QueueLineChange(places=[place])
            news = queue_pb2.WatchQueueResponse(
                changes=[change], enabled=True, is_drawn=True, admissions_per_minute=60
            )
            line.receive(news)
            line.beat()
            began = time.process_time()
            for held_place in line.watchers:
                line.catch_up(held_place)
            used += time.process_time() - began
        _print(f"second of a gateway with {len(places)} clients, all moving", used, rounds)

    async def _measure(self, name: str, work: Callable[[], Awaitable[None]], count: int) -> None:
        began, used = time.perf_counter(), await self._processor_seconds()
        await work()
        seconds = time.perf_counter() - began
        used = await self._processor_seconds() - used
        _print(name, used, count)
        print(f"    {seconds:.2f} s in all")

    async def _processor_seconds(self) -> float:
        rows = await self._rows("SELECT pid FROM pg_stat_activity WHERE datname IS NOT NULL")
        times = [psutil.Process(pid).cpu_times() for (pid,) in rows]
        return time.process_time() + sum(each.user + each.system for each in times)

    async def _rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            await connection.execute("SET statement_timeout = 0")
            found = await connection.execute(query.encode())
            return await found.fetchall() if found.description else ()


def main() -> None:
    """Measures a queue, and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    people: int = parser.parse_args().people
    with temporary_postgres() as postgres:
        migrate_all(postgres.create_database(TEMPLATE), PASSWORDS)
        with cloned(postgres) as database:
            asyncio.run(_run(database.bookings_dsn, people))


async def _run(dsn: str, people: int) -> None:
    # One backend, whose processor time is read by its number.
    async with patient_pool(dsn, schema="bookings", size=1) as pool:
        await Measuring(pool, people).run()


def _print(name: str, used: float, count: int) -> None:
    print(f"{name}: {1e6 * used / count:.1f} µs of a processor each, {used:.3f} s for {count}")


if __name__ == "__main__":
    main()
