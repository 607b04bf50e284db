"""A realistic sale: clients arrive within some seconds, look, buy with a key, and retry.

It is the rush of `boxoffice load`, with as many connections as clients.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import uvloop

from deploy.load.client import Client
from deploy.load.profiles import Plan, rush
from deploy.load.purchases import Outcome
from deploy.load.requests import Requests
from deploy.load.series import percentile_ms
from deploy.load.shop import Shop
from deploy.load.target import Target
from tests.bench import database
from tests.bench.system import System


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


def report(system: System) -> Iterator[str]:
    """Runs every sale; yields a line for each."""
    yield "RUSH: each client looks, buys with a key, and asks again after a second where it must"
    for sale in SALES:
        event_id = system.create_event(sale.seats)
        before = system.cpu_seconds()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            shop = runner.run(_play(sale, system.port, event_id))
        after = system.cpu_seconds()
        used = {process: after[process] - before[process] for process in before}
        yield f"    {sale.name}: {_summary(sale, shop, used)}"
        yield f"        {_books(system, event_id, shop)}"


async def _play(sale: Sale, port: int, event_id: int) -> Shop:
    target = Target("127.0.0.1", port)
    client = Client(target, connections=sale.clients)
    shop = Shop(client, Requests(target, event_id))
    plan = Plan("rush", sale.clients, rate=0, seconds=sale.seconds, connections=sale.clients)
    await rush(shop, plan, f"visitor-{event_id}")
    client.close()
    return shop


def _summary(sale: Sale, shop: Shop, used: Mapping[str, float]) -> str:
    series = shop.series
    last = max((at for at, _ in series.sales), default=0.0)
    asked = shop.looks + len(series.requests)
    return (
        f"{sale.clients} clients in {sale.seconds:.0f} s, {sale.seats} seats sold within"
        f" {last:.1f} s; known after p50 {percentile_ms(series.known, 50):.0f} ms,"
        f" p99 {percentile_ms(series.known, 99):.0f} ms;"
        f" {len(series.requests) - sale.clients} requests were repeated;"
        f" {asked} requests took {sum(used.values()):.1f} s of processor time"
    )


def _books(system: System, event_id: int, shop: Shop) -> str:
    sold = sum(one.outcome is Outcome.BOOKED for one in shop.purchases)
    refused = sum(one.code == "sold_out" for one in shop.purchases)
    found = database.booked(system.owner_dsn, event_id)
    return f"{sold} sold and {refused} sold out as answered, {found} in the database"
