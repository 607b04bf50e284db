"""Closed-loop load without wrk: each connection sends the next request after a response.

It takes several times the processor time of wrk, which the system under test then lacks.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from statistics import quantiles

import uvloop

from tests.bench.wrk import Load
from tests.e2e.raw_http import Answer, Connection

REFUSED = 400

Ask = Callable[[Connection, int], Awaitable[Answer]]
"""Sends the requests of a number one after the other; returns the last answer."""


def drive(port: int, write: Callable[[int], bytes], *, seconds: float, connections: int) -> Load:
    """Runs the load for a time; `write` returns the request of a number."""

    async def ask(line: Connection, number: int) -> Answer:
        return await line.ask(write(number))

    return drive_each(port, ask, seconds=seconds, connections=connections)


def drive_each(port: int, ask: Ask, *, seconds: float, connections: int) -> Load:
    """Runs the load for a time, of requests that need the answers to others."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_drive(port, ask, seconds=seconds, connections=connections))


async def _drive(port: int, ask: Ask, *, seconds: float, connections: int) -> Load:
    numbers, statuses, waits = itertools.count(), list[int](), list[float]()
    failed = 0
    end = time.monotonic() + seconds

    async def ask_on() -> None:
        nonlocal failed
        line = await Connection.open(port)
        while (asked := time.monotonic()) < end:
            try:
                answer = await ask(line, next(numbers))
            except (OSError, asyncio.IncompleteReadError):
                failed += 1
                line = await Connection.open(port)
                continue
            statuses.append(answer.status)
            waits.append(1e3 * (time.monotonic() - asked))
        await line.close()

    await asyncio.gather(*(ask_on() for _ in range(connections)))
    refused = sum(status >= REFUSED for status in statuses)
    centiles = quantiles(waits, n=100)
    return Load(len(statuses), refused, failed, seconds, centiles[49], centiles[98])
