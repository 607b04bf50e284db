"""Bookings of known events while one of the services is down, slow or cut off."""

import asyncio
import contextlib
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.e2e.system import free_ports
from tests.faults.proxy import Proxy
from tests.faults.two_services import TwoServices
from tests.services.events.client import eventually, refused

FEWEST_ROUNDS, MOST_ROUNDS = 3, 30
BUYERS, RESERVATIONS = 4, 50
SLOWER_TIMES, SLACK_SECONDS = 1.2, 0.015
LAG_SECONDS = 60
SLOW_SECONDS = 0.2

Trouble = Callable[["ProxiedServices"], Awaitable[None]]

_users = itertools.count(1)


class ProxiedServices:
    """Events and bookings that reach each other through a proxy for each direction."""

    def __init__(self, services: TwoServices, to_events: Proxy, to_bookings: Proxy) -> None:
        self.services = services
        self.to_events = to_events
        self.to_bookings = to_bookings

    async def heal(self) -> None:
        """Heals both proxies."""
        await self.to_events.heal()
        await self.to_bookings.heal()
        for process in (self.services.events, self.services.bookings):
            if not process.is_running:
                process.start()
        await self.services.wait_until_serving()

    async def measure(self, event_id: int) -> list[float]:
        """Books seats, several at once; returns the seconds that each took."""
        took: list[float] = []

        async def book() -> None:
            for _ in range(RESERVATIONS):
                started = time.perf_counter()
                await self.services.buyer.reserve(event_id, f"user-{next(_users)}")
                took.append(time.perf_counter() - started)

        await asyncio.gather(*(book() for _ in range(BUYERS)))
        return took


@pytest.fixture
async def proxied(database: Database, tmp_path: Path) -> AsyncIterator[ProxiedServices]:
    """Runs both services with a proxy for each direction."""
    near_events, near_bookings = (f"127.0.0.1:{port}" for port in free_ports(2))
    settings = {"EVENTS_BOOKINGS_TARGET": near_events, "BOOKINGS_EVENTS_TARGET": near_bookings}
    services = TwoServices(database, tmp_path, settings=settings)
    async with (
        Proxy(services.events_target, near_bookings) as to_events,
        Proxy(services.bookings_target, near_events) as to_bookings,
        services,
    ):
        yield ProxiedServices(services, to_events, to_bookings)


async def kill_events(proxied: ProxiedServices) -> None:
    """Kills events."""
    proxied.services.events.kill()


async def cut_off(proxied: ProxiedServices) -> None:
    """Drops what is sent in either direction, without closing connections."""
    proxied.to_events.blackhole()
    proxied.to_bookings.blackhole()


async def slow_down(proxied: ProxiedServices) -> None:
    """Delays what is sent in either direction."""
    proxied.to_events.latency_seconds = proxied.to_bookings.latency_seconds = SLOW_SECONDS


async def hang_up(proxied: ProxiedServices) -> None:
    """Closes the connections and refuses new ones."""
    proxied.to_events.down()
    proxied.to_bookings.down()


@pytest.mark.parametrize("trouble", [kill_events, cut_off, slow_down])
async def test_known_events_are_booked_during_a_partition(
    proxied: ProxiedServices, trouble: Trouble
) -> None:
    """A reservation could wait for the catalogue, or fail with it.

    Reservations must take as long as without the partition. Rounds are repeated, since a busy
    machine may slow down some of them but not most.
    """
    event = await proxied.services.organizer.create(total_seats=10_000)
    await proxied.measure(event.id)
    calm: list[float] = []
    troubled: list[float] = []
    while len(calm) < FEWEST_ROUNDS or is_slower(troubled, calm):
        assert len(calm) < MOST_ROUNDS, (calm, troubled)
        calm.append(p99(await proxied.measure(event.id)))
        await trouble(proxied)
        troubled.append(p99(await proxied.measure(event.id)))
        await proxied.heal()
        await proxied.services.wait_until_consistent(within_seconds=LAG_SECONDS)


@pytest.mark.parametrize("trouble", [kill_events, cut_off, hang_up])
async def test_unknown_events_are_unavailable_during_a_partition(
    proxied: ProxiedServices, trouble: Trouble
) -> None:
    """An event that bookings does not know yet could be reported as not found."""
    await trouble(proxied)
    with refused("UNAVAILABLE"):
        await proxied.services.buyer.reserve(1_000, "ada")


async def test_both_catch_up_when_they_are_connected_again(proxied: ProxiedServices) -> None:
    """A change that was made while cut off could be lost on one side."""
    organizer = proxied.services.organizer
    events = [await organizer.create(total_seats=10) for _ in range(3)]
    await cut_off(proxied)
    grown = await organizer.update(events[0].id, total_seats=20)
    created = await organizer.create(total_seats=5)
    assert grown.total_seats == 20
    for change in (
        organizer.update(events[1].id, total_seats=5),
        organizer.delete(events[2].id),
    ):
        with contextlib.suppress(Refusal):
            await change
    await proxied.heal()
    await proxied.services.wait_until_consistent(within_seconds=LAG_SECONDS)
    assert (await organizer.get(events[1].id)).total_seats == 5
    with refused("EVENT_NOT_FOUND"):
        await organizer.get(events[2].id)
    await proxied.services.buyer.reserve(created.id, "ada")


async def test_a_shrink_waits_while_bookings_is_away(proxied: ProxiedServices) -> None:
    """A shrink that bookings has not accepted could be shown, or overtaken by other changes."""
    organizer = proxied.services.organizer
    event = await organizer.create(total_seats=10)
    proxied.services.bookings.kill()
    with refused("OUTCOME_UNKNOWN"):
        await organizer.update(event.id, total_seats=5)
    with refused("CHANGE_PENDING"):
        await organizer.update(event.id, name="Rock")
    assert (await organizer.get(event.id)).total_seats == 10
    await proxied.heal()
    await proxied.services.wait_until_consistent(within_seconds=LAG_SECONDS)
    assert (await organizer.get(event.id)).total_seats == 5


async def test_a_broken_connection_is_replaced(proxied: ProxiedServices) -> None:
    """A connection that was reset could fail the requests after the next one, too."""
    event = await proxied.services.organizer.create(total_seats=10)
    proxied.to_events.reset()
    proxied.to_bookings.reset()

    async def is_shrunk() -> bool:
        with contextlib.suppress(Refusal):
            await proxied.services.organizer.update(event.id, total_seats=5)
        return (await proxied.services.organizer.get(event.id)).total_seats == 5

    await eventually(is_shrunk, within_seconds=LAG_SECONDS)
    await proxied.services.wait_until_consistent(within_seconds=LAG_SECONDS)


def is_slower(troubled: list[float], calm: list[float]) -> bool:
    """Returns whether rounds during a partition take too long."""
    limit = SLOWER_TIMES * statistics.median(calm) + SLACK_SECONDS
    return statistics.median(troubled) > limit


def p99(seconds: list[float]) -> float:
    """Returns the 99th percentile."""
    return statistics.quantiles(seconds, n=100)[98]
