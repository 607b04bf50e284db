"""A whole load test: finds or makes the event, runs the profile, and checks the result."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from deploy.load import check
from deploy.load.api import PAUSE_SECONDS, Api
from deploy.load.check import Sale, Verdict
from deploy.load.client import Client
from deploy.load.profiles import PROFILES, Plan
from deploy.load.requests import Requests
from deploy.load.shop import Shop
from deploy.load.target import Target
from deploy.load.watching import Watcher

DEMO_WATCHERS = 5
STREAM_SECONDS = 3
"""How long the live updates may take to begin before the sale begins without them."""
DEMO_PRICE = {"amount_minor": 900, "currency": "EUR"}


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for. `event_id` None makes an event, in a room if one is given."""

    target: Target
    plan: Plan
    seats: int
    event_id: int | None = None
    room_id: int | None = None
    token: str = ""
    deletes: bool = False
    patience_seconds: float = 60
    pause_seconds: float = PAUSE_SECONDS
    timeout_seconds: float = 10
    watch_seconds: float = 10
    """How long live updates may be behind after the run."""


@dataclass(slots=True)
class Result:
    """What came of it. `was_stopped` if the user ended it early."""

    order: Order
    sale: Sale
    plan: Plan
    shop: Shop
    watchers: list[Watcher] = field(default_factory=list)
    was_stopped: bool = False
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def exit_status(self) -> int:
        """0 if all agrees, 1 if not, 2 if the test could not be done."""
        return self.verdict.exit_status or (2 if self.shop.failure else 0)


Show = Callable[[Result], AbstractAsyncContextManager[None]]
"""Shows the progress during a block."""


async def run(order: Order, show: Show, stop: asyncio.Event) -> Result:
    """Runs a load test until it is over or `stop` is set, and checks it. Raises LoadError."""
    name = f"load-{secrets.token_hex(4)}"
    async with Api.open(order.target, order.token, pause_seconds=order.pause_seconds) as api:
        await api.check_health()
        result = await _prepare(api, order, name, stop)
        # Without the right to list them nothing could be checked.
        await api.bookings(result.sale.event_id)
        async with _watched(api, result):
            try:
                async with show(result), _ended_early(result.shop):
                    await PROFILES[result.plan.profile](result.shop, result.plan, name)
                result.shop.series.end()
                result.was_stopped = stop.is_set() and not result.shop.failure
            finally:
                result.shop.client.close()
            await _check(api, result)
        if order.deletes and result.sale.is_own and result.exit_status == 0:
            await api.delete_event(result.sale.event_id)
    return result


async def _prepare(api: Api, order: Order, name: str, stop: asyncio.Event) -> Result:
    sale, plan = await (_find_event if order.event_id else _make_event)(api, order, name)
    shop = Shop(
        Client(order.target, connections=plan.connections, timeout_seconds=order.timeout_seconds),
        Requests(order.target, sale.event_id, order.token),
        planned=plan.purchases,
        stop=stop,
        patience_seconds=order.patience_seconds,
        pause_seconds=order.pause_seconds,
    )
    return Result(order, sale, plan, shop)


async def _find_event(api: Api, order: Order, name: str) -> tuple[Sale, Plan]:
    event_id = order.event_id or 0
    event = await api.event(event_id)
    seats = await api.availability(event_id)
    plan = replace(order.plan, is_seated=event.get("room_id") is not None)
    return Sale(event_id, is_own=False, total_seats=seats.total, prefix=f"{name}-"), plan


async def _make_event(api: Api, order: Order, name: str) -> tuple[Sale, Plan]:
    """Makes an event; that of the demo has a price, and seats if the system has a room."""
    is_demo = order.plan.profile == "demo"
    room_id = await api.find_room() if is_demo and not order.room_id else order.room_id
    fields = _in_room(room_id) if room_id else _of_seats(order.seats)
    if is_demo:
        fields["price"] = DEMO_PRICE
    event_id = await api.create_event(f"Load test {name}", fields, key=f"{name}-event")
    total = (await api.availability(event_id)).total if room_id else order.seats
    sale = Sale(event_id, is_own=True, total_seats=total, prefix=f"{name}-")
    return sale, replace(order.plan, is_seated=room_id is not None)


def _of_seats(seats: int) -> dict[str, object]:
    return {"total_seats": seats}


def _in_room(room_id: int) -> dict[str, object]:
    """Returns a minute of the coming years in a room, which no other event is likely to have."""
    minutes = secrets.randbelow(5 * 365 * 24 * 60)
    starts_at = datetime.now(UTC) + timedelta(days=365, minutes=minutes)
    ends_at = starts_at + timedelta(minutes=1)
    return {
        "room_id": room_id,
        "starts_at": starts_at.isoformat(timespec="milliseconds"),
        "ends_at": ends_at.isoformat(timespec="milliseconds"),
    }


@contextlib.asynccontextmanager
async def _watched(api: Api, result: Result) -> AsyncIterator[None]:
    """Watches the event during the block: one watcher keeps count, and the demo has more."""
    count = DEMO_WATCHERS if result.plan.profile == "demo" else 1
    event_id, series = result.sale.event_id, result.shop.series
    result.watchers = [Watcher(api, event_id, None if index else series) for index in range(count)]
    tasks = [asyncio.create_task(watcher.watch()) for watcher in result.watchers]
    await asyncio.gather(*(watcher.begin(STREAM_SECONDS) for watcher in result.watchers))
    series.restart()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _ended_early(shop: Shop) -> AsyncIterator[None]:
    """Sends nothing more that waits for a connection once the load is to stop."""

    async def drop() -> None:
        await shop.stop.wait()
        shop.client.drop_waiting()

    task = asyncio.create_task(drop())
    try:
        yield
    finally:
        task.cancel()


async def _check(api: Api, result: Result) -> None:
    evidence = await check.gather(api, result.sale.event_id)
    result.verdict = check.judge(result.sale, result.shop.purchases, evidence)
    await check.judge_watchers(
        result.watchers, evidence, result.verdict, seconds=result.order.watch_seconds
    )
