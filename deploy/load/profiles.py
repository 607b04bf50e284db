"""The kinds of load: a rush, a steady stream of bookings, and a small sale as people make it.

A profile runs until all its buyers are done or the shop's `stop` is set; it books through the shop.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

from deploy.load.demo_buyer import DemoBuyer
from deploy.load.open_loop import pace
from deploy.load.shop import Shop

WAITING_PER_CONNECTION = 10
"""Requests that wait for a connection at most, for each connection."""
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """How much load: `rate` is in requests a second and for the steady profile alone."""

    profile: str
    buyers: int
    rate: float
    seconds: float
    connections: int
    is_seated: bool = False

    @property
    def purchases(self) -> int:
        """How many purchases there will be."""
        return ceil(self.rate * self.seconds) if self.profile == "steady" else self.buyers


async def rush(shop: Shop, plan: Plan, run: str) -> None:
    """Lets buyers arrive within some seconds, or all at once.

    Each looks how many seats are left, books one, repeats the request until the outcome is known,
    and looks again if there was no seat.
    """
    started = time.monotonic()
    chance = random.Random(run)  # noqa: S311 - no secret
    arrivals = sorted(chance.uniform(0, plan.seconds) for _ in range(plan.buyers))

    async def visit(number: int, seconds: float) -> None:
        purchase = shop.new_purchase(f"{run}-{number}")
        await shop.pause(started + seconds - time.monotonic())
        if not shop.stop.is_set():
            await shop.look()
            is_booked = await shop.book(purchase)
            shop.series.known.append(time.monotonic() - started - seconds)
            if not is_booked:
                await shop.look()
        shop.finished += 1

    async with asyncio.TaskGroup() as group:
        for number, seconds in enumerate(arrivals):
            group.create_task(visit(number, seconds))


async def steady(shop: Shop, plan: Plan, run: str) -> None:
    """Books at a rate, each time for another user, however slow the responses are."""
    most_waiting = WAITING_PER_CONNECTION * plan.connections

    def offer(number: int, due: float) -> None:
        if shop.client.waiting >= most_waiting:
            shop.skipped += 1
            shop.finished += 1
        else:
            shop.reserve_once(shop.new_purchase(f"{run}-{number}"), due)

    shop.late_seconds = await pace(offer, rate=plan.rate, seconds=plan.seconds, stop=shop.stop)
    while shop.finished < len(shop.purchases) + shop.skipped:  # noqa: ASYNC110 - see below
        # An event would cost every response something.
        await asyncio.sleep(POLL_SECONDS)
    await shop.settle()


async def demo(shop: Shop, plan: Plan, run: str) -> None:
    """Lets some people buy: they hold seats, think, pay, give back or cancel."""
    chance = random.Random(run)  # noqa: S311 - no secret

    async def visit(number: int) -> None:
        buyer = DemoBuyer(shop, random.Random(f"{run}-{number}"), plan.seconds)  # noqa: S311
        await shop.pause(chance.uniform(0, 0.7 * plan.seconds))
        if not shop.stop.is_set():
            await buyer.buy(f"{run}-{number}", is_seated=plan.is_seated)
        shop.finished += 1

    async with asyncio.TaskGroup() as group:
        for number in range(plan.buyers):
            group.create_task(visit(number))


PROFILES: Mapping[str, Callable[[Shop, Plan, str], Awaitable[None]]] = MappingProxyType(
    {"rush": rush, "steady": steady, "demo": demo}
)
