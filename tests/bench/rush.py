"""A sale as it happens: clients come within some seconds, look, buy with a key, and ask again.

Each is a client of its own with connections of its own, which a load of 64 connections is not.
"""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import uvloop

from tests.bench import database
from tests.bench.system import System
from tests.e2e.raw_http import connect, request
from tests.faults.buyers import Purchase

# As long as `Retry-After` says.
PAUSE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Sale:
    """So many clients within so many seconds, for so many seats."""

    name: str
    clients: int
    seconds: float
    seats: int


SALES = (
    Sale("a small real one", 967, 17, 400),
    Sale("a large one", 5_000, 10, 1_000),
    Sale("all at once", 5_000, 1, 1_000),
)


@dataclass(slots=True)
class Visit:
    """A client, who came at a moment, and what he wants."""

    purchase: Purchase
    due: float
    looks: int = 0

    async def make(self, port: int) -> None:
        """Looks whether there are seats, and buys one; looks again where there is none."""
        await asyncio.sleep(max(0.0, self.due - time.monotonic()))  # until he comes
        await self._look(port)
        await self.purchase.settle(port, pause_seconds=PAUSE_SECONDS)
        if self.purchase.outcome != (201, ""):
            await self._look(port)

    @property
    def seconds(self) -> float:
        """How long he waited until he knew."""
        return self.purchase.settled_at - self.due

    async def _look(self, port: int) -> None:
        self.looks += 1
        path = f"/api/events/{self.purchase.event_id}/availability"
        try:
            async with connect(port) as line:
                await line.ask(request("GET", path))
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # he buys all the same


def report(system: System) -> Iterator[str]:
    """Plays every sale; gives a line for each."""
    yield "RUSH: each client looks, buys with a key, and asks again after a second where it must"
    for sale in SALES:
        event_id = system.create_event(sale.seats)
        before = system.cpu_seconds()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            visits = runner.run(_play(sale, system.port, event_id))
        after = system.cpu_seconds()
        used = {process: after[process] - before[process] for process in before}
        yield f"    {sale.name}: {_summary(sale, visits, used)}"
        yield f"        {_books(system, event_id, visits)}"


async def _play(sale: Sale, port: int, event_id: int) -> list[Visit]:
    started = time.monotonic()
    due = sorted(random.uniform(0, sale.seconds) for _ in range(sale.clients))
    users = (f"visitor-{event_id}-{number}" for number in range(sale.clients))
    visits = [
        Visit(Purchase(event_id, user, key=user), started + moment)
        for user, moment in zip(users, due, strict=True)
    ]
    await asyncio.gather(*(visit.make(port) for visit in visits))
    return visits


def _summary(sale: Sale, visits: Sequence[Visit], used: Mapping[str, float]) -> str:
    waits = sorted(visit.seconds for visit in visits)
    bought = [visit for visit in visits if visit.purchase.outcome == (201, "")]
    last = max((visit.purchase.settled_at for visit in bought), default=0.0)
    asked = sum(visit.looks + len(visit.purchase.answers) for visit in visits)
    again = sum(len(visit.purchase.answers) > 1 for visit in visits)
    return (
        f"{sale.clients} clients in {sale.seconds:.0f} s, {sale.seats} seats sold within"
        f" {last - visits[0].due:.1f} s; known after p50 {1e3 * waits[len(waits) // 2]:.0f} ms,"
        f" p99 {1e3 * waits[len(waits) * 99 // 100]:.0f} ms; {again} asked again;"
        f" {asked} requests took {sum(used.values()):.1f} s of processor time"
    )


def _books(system: System, event_id: int, visits: Sequence[Visit]) -> str:
    sold = sum(visit.purchase.outcome == (201, "") for visit in visits)
    refused = sum(visit.purchase.outcome == (409, "sold_out") for visit in visits)
    found = database.booked(system.owner_dsn, event_id)
    return f"{sold} sold and {refused} sold out as answered, {found} in the database"
