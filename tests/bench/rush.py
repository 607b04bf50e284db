"""A realistic sale: clients arrive within some seconds, look, buy with a key, and retry.

Each client has connections of its own, unlike a load over 64 connections.
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

# The value of `Retry-After`.
PAUSE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Sale:
    """A number of clients that arrive within some seconds, for a number of seats."""

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
    """A client that arrives at a time, and its purchase."""

    purchase: Purchase
    due: float
    looks: int = 0

    async def make(self, port: int) -> None:
        """Reads the availability and buys a seat; repeats both if no seat is free."""
        await asyncio.sleep(max(0.0, self.due - time.monotonic()))  # until the client arrives
        await self._look(port)
        await self.purchase.settle(port, pause_seconds=PAUSE_SECONDS)
        if self.purchase.outcome != (201, ""):
            await self._look(port)

    @property
    def seconds(self) -> float:
        """The seconds until the client knew the outcome."""
        return self.purchase.settled_at - self.due

    async def _look(self, port: int) -> None:
        self.looks += 1
        path = f"/api/events/{self.purchase.event_id}/availability"
        try:
            async with connect(port) as line:
                await line.ask(request("GET", path))
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client buys all the same


def report(system: System) -> Iterator[str]:
    """Runs every sale; yields a line for each."""
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
