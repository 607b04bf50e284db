"""New clients that arrive one after another, each with a connection that it keeps open.

Load generators that simulate sessions do so: each client asks whether the gateway is ready,
reserves a seat, and never disconnects.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import uvloop

from tests.bench import database
from tests.bench.database import ROOM
from tests.bench.system import System
from tests.e2e.raw_http import Connection, request, reservation

PHASES = ((50, 3), (400, 10))
"""Arrivals per second, and for how many seconds."""
CUT_OFF = 0
"""In place of the status of a request that got no answer."""


@dataclass(slots=True)
class Newcomer:
    """A client that arrives at a time; `seconds` is the time until it had its seat."""

    due: float
    ready: int = CUT_OFF
    reserved: int = CUT_OFF
    seconds: float = 0.0
    connections: list[Connection] = field(default_factory=list)

    async def visit(self, port: int, event_id: int, user_id: str) -> None:
        """Connects, asks and reserves; keeps its connection."""
        await asyncio.sleep(max(0.0, self.due - time.monotonic()))  # until the client arrives
        try:
            connection = await Connection.open(port)
            self.connections.append(connection)
            self.ready = (await connection.ask(request("GET", "/ready"))).status
            self.reserved = (await connection.ask(reservation(event_id, user_id))).status
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            return  # a response without a status was cut off
        self.seconds = time.monotonic() - self.due


def report(system: System) -> Iterator[str]:
    """Runs all clients; yields lines with the responses, and with the cost of connections."""
    phases = ", ".join(f"{seconds} s at {rate}/s" for rate, seconds in PHASES)
    yield f"NEWCOMERS: {phases}, each with a connection that it keeps open (goal: no 503)"
    event_id = system.create_event(ROOM)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        before = system.memory_mb()["gateway"]
        newcomers = runner.run(_come(system.port, event_id))
        yield f"    {_summary(newcomers)}"
        more = system.memory_mb()["gateway"] - before
        yield f"    {len(newcomers)} connections cost the gateway {more:.1f} MB"
        runner.run(_leave(newcomers))
    found = database.booked(system.owner_dsn, event_id)
    yield f"    {sum(one.reserved == 201 for one in newcomers)} reserved, {found} in the database"


def _dues(started: float) -> Iterator[float]:
    for rate, seconds in PHASES:
        yield from (started + number / rate for number in range(rate * seconds))
        started += seconds


async def _come(port: int, event_id: int) -> Sequence[Newcomer]:
    newcomers = [Newcomer(due) for due in _dues(time.monotonic() + 1)]
    users = (f"newcomer-{event_id}-{number}" for number in itertools.count())
    await asyncio.gather(
        *(one.visit(port, event_id, user) for one, user in zip(newcomers, users, strict=False))
    )
    return newcomers


async def _leave(newcomers: Sequence[Newcomer]) -> None:
    await asyncio.gather(*(line.close() for one in newcomers for line in one.connections))


def _summary(newcomers: Sequence[Newcomer]) -> str:
    answers = Counter(one.ready for one in newcomers) + Counter(one.reserved for one in newcomers)
    waits = sorted(1e3 * one.seconds for one in newcomers if one.reserved == 201) or [0.0]
    shown = ", ".join(f"{count} x {status or 'cut off'}" for status, count in answers.items())
    return (
        f"{len(newcomers)} came: {shown}; {answers[503]} x 503; both answered after"
        f" p50 {waits[len(waits) // 2]:.0f} ms, p99 {waits[len(waits) * 99 // 100]:.0f} ms"
    )
