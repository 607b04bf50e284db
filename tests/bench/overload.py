"""Overload: the goodput of requests that arrive faster than they can be served.

The generator shares the cores with the system. So the rate that it reached is printed beside the
rate that it should have had, and its own longest delay, which is a part of all times.
"""

import asyncio
import time
from collections.abc import Iterator

import uvloop

from tests.bench.database import ROOM
from tests.bench.open_loop import Arrivals, arrive
from tests.bench.system import System
from tests.e2e.raw_http import connect, reservation

TIMES = (0.5, 1, 2, 5)
NORMAL_MS = 10
PATIENCE_SECONDS = 30


def report(system: System, peak: float, seconds: float) -> Iterator[str]:
    """Sends multiples of the peak rate; yields a line for each, and one for the recovery."""
    yield f"OVERLOAD: requests at a rate of their own, in multiples of {peak:.0f}/s (goal: 0.8 of"
    yield "    the best goodput at 5 times, refused in 50 ms p99, normal within 10 s)"
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        best = 0.0
        for times in TIMES:
            event_id = system.create_event(ROOM)
            arrivals = runner.run(_offer(system.port, event_id, times * peak, seconds))
            best = max(best, arrivals.rate(201))
            yield f"    {times} times: {_summary(arrivals, best)}"
        yield f"    normal again after {runner.run(_recovery(system)):.1f} s"


async def _offer(port: int, event_id: int, rate: float, seconds: float) -> Arrivals:
    def write(number: int) -> bytes:
        return reservation(event_id, f"arrival-{event_id}-{number}")

    return await arrive("127.0.0.1", port, write, rate=rate, seconds=seconds)


def _summary(arrivals: Arrivals, best: float) -> str:
    served = " / ".join(f"{1e3 * arrivals.wait(201, percent):.0f}" for percent in (50, 99))
    refused = " / ".join(f"{1e3 * arrivals.wait(503, percent):.0f}" for percent in (50, 99))
    others = {s: n for s, n in arrivals.statuses.items() if s not in {201, 503}}
    return (
        f"offered {arrivals.offered / arrivals.seconds:.0f}/s, sold {arrivals.rate(201):.0f}/s"
        f" ({arrivals.rate(201) / best:.2f} of the best; p50 / p99 {served} ms), refused"
        f" {arrivals.rate(503):.0f}/s ({refused} ms), others {others or 'none'}; generator skipped"
        f" {arrivals.skipped}, late by {1e3 * arrivals.late_seconds:.0f} ms at worst"
    )


async def _recovery(system: System) -> float:
    """Reserves until a single reservation is as fast as on an idle system."""
    started = time.monotonic()
    event_id = system.create_event(ROOM)
    async with asyncio.timeout(PATIENCE_SECONDS), connect(system.port) as line:
        for number in range(ROOM):
            asked = time.monotonic()
            answer = await line.ask(reservation(event_id, f"afterwards-{number}"))
            if answer.status == 201 and time.monotonic() - asked < NORMAL_MS / 1e3:
                break
    return time.monotonic() - started
