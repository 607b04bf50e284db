"""Either service down, slow or cut off: whoever books an event that is known notices nothing."""

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
from tests.faults.pair import Pair
from tests.faults.proxy import Proxy
from tests.services.events.client import eventually, refused

FEWEST_ROUNDS, MOST_ROUNDS = 3, 12
BUYERS, RESERVATIONS = 4, 50
SLOWER_TIMES, SLACK_SECONDS = 1.2, 0.015
LAG_SECONDS = 10
SLOW_SECONDS = 0.2

Trouble = Callable[["Town"], Awaitable[None]]

_users = itertools.count(1)


class Town:
    """Events and bookings with a line of their own for each direction, both through a proxy."""

    def __init__(self, pair: Pair, to_events: Proxy, to_bookings: Proxy) -> None:
        self.pair = pair
        self.to_events = to_events
        self.to_bookings = to_bookings

    async def heal(self) -> None:
        """Ends all trouble."""
        await self.to_events.heal()
        await self.to_bookings.heal()
        for process in (self.pair.events, self.pair.bookings):
            if not process.is_running:
                process.start()
        await self.pair.serve()

    async def measure(self, event_id: int) -> list[float]:
        """Books seats, several at once; gives how long each took, in seconds."""
        took: list[float] = []

        async def book() -> None:
            for _ in range(RESERVATIONS):
                started = time.perf_counter()
                await self.pair.buyer.reserve(event_id, f"user-{next(_users)}")
                took.append(time.perf_counter() - started)

        await asyncio.gather(*(book() for _ in range(BUYERS)))
        return took


@pytest.fixture
async def town(database: Database, tmp_path: Path) -> AsyncIterator[Town]:
    """Runs both, each of which sees the other through a proxy."""
    near_events, near_bookings = (f"127.0.0.1:{port}" for port in free_ports(2))
    settings = {"EVENTS_BOOKINGS_TARGET": near_events, "BOOKINGS_EVENTS_TARGET": near_bookings}
    pair = Pair(database, tmp_path, settings=settings)
    async with (
        Proxy(pair.events_target, near_bookings) as to_events,
        Proxy(pair.bookings_target, near_events) as to_bookings,
        pair,
    ):
        yield Town(pair, to_events, to_bookings)


async def kill_events(town: Town) -> None:
    """Has events gone."""
    town.pair.events.kill()


async def cut_off(town: Town) -> None:
    """Lets nothing through either way, and says nothing about it."""
    town.to_events.blackhole()
    town.to_bookings.blackhole()


async def slow_down(town: Town) -> None:
    """Makes each way take long."""
    town.to_events.latency_seconds = town.to_bookings.latency_seconds = SLOW_SECONDS


async def hang_up(town: Town) -> None:
    """Breaks the lines and refuses new ones."""
    town.to_events.down()
    town.to_bookings.down()


@pytest.mark.parametrize("trouble", [kill_events, cut_off, slow_down])
async def test_known_events_are_booked_as_ever(town: Town, trouble: Trouble) -> None:
    """No reservation fails, and the slowest of them take about as long as without the trouble.

    A machine that is busy with something else may slow some rounds down, but not all of them.
    """
    event = await town.pair.organizer.create(total_seats=10_000)
    await town.measure(event.id)
    calm: list[float] = []
    troubled: list[float] = []
    while len(calm) < FEWEST_ROUNDS or is_slower(troubled, calm):
        assert len(calm) < MOST_ROUNDS, (calm, troubled)
        calm.append(p99(await town.measure(event.id)))
        await trouble(town)
        troubled.append(p99(await town.measure(event.id)))
        await town.heal()
        await town.pair.agree(within_seconds=LAG_SECONDS)


@pytest.mark.parametrize("trouble", [kill_events, cut_off, hang_up])
async def test_unknown_events_are_not_denied(town: Town, trouble: Trouble) -> None:
    """Nobody can tell whether there is such an event, so it is unavailable and not unheard of."""
    await trouble(town)
    with refused("UNAVAILABLE"):
        await town.pair.buyer.reserve(1_000, "ada")


async def test_both_catch_up_when_the_line_is_whole_again(town: Town) -> None:
    """What only adds is done at once, what takes away waits; soon after, both sides agree."""
    organizer = town.pair.organizer
    events = [await organizer.create(total_seats=10) for _ in range(3)]
    await cut_off(town)
    grown = await organizer.update(events[0].id, total_seats=20)
    created = await organizer.create(total_seats=5)
    assert grown.total_seats == 20
    for change in (
        organizer.update(events[1].id, total_seats=5),
        organizer.delete(events[2].id),
    ):
        with contextlib.suppress(Refusal):
            await change
    await town.heal()
    await town.pair.agree(within_seconds=LAG_SECONDS)
    assert (await organizer.get(events[1].id)).total_seats == 5
    with refused("EVENT_NOT_FOUND"):
        await organizer.get(events[2].id)
    await town.pair.buyer.reserve(created.id, "ada")


async def test_a_shrink_holds_while_bookings_is_away(town: Town) -> None:
    """Without a verdict nothing is granted, and nothing else is changed meanwhile."""
    organizer = town.pair.organizer
    event = await organizer.create(total_seats=10)
    town.pair.bookings.kill()
    with refused("OUTCOME_UNKNOWN"):
        await organizer.update(event.id, total_seats=5)
    with refused("CHANGE_PENDING"):
        await organizer.update(event.id, name="Rock")
    assert (await organizer.get(event.id)).total_seats == 10
    await town.heal()
    await town.pair.agree(within_seconds=LAG_SECONDS)
    assert (await organizer.get(event.id)).total_seats == 5


async def test_a_broken_line_is_made_anew(town: Town) -> None:
    """A connection that was reset costs one attempt, not the next one."""
    event = await town.pair.organizer.create(total_seats=10)
    town.to_events.reset()
    town.to_bookings.reset()

    async def is_shrunk() -> bool:
        with contextlib.suppress(Refusal):
            await town.pair.organizer.update(event.id, total_seats=5)
        return (await town.pair.organizer.get(event.id)).total_seats == 5

    await eventually(is_shrunk, within_seconds=LAG_SECONDS)
    await town.pair.agree(within_seconds=LAG_SECONDS)


def is_slower(troubled: list[float], calm: list[float]) -> bool:
    """Tells whether rounds with trouble take longer than they may."""
    limit = SLOWER_TIMES * statistics.median(calm) + SLACK_SECONDS
    return statistics.median(troubled) > limit


def p99(seconds: list[float]) -> float:
    """Gives what one in a hundred takes longer than."""
    return statistics.quantiles(seconds, n=100)[98]
