import asyncio

import pytest

from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound
from services.bookings.inventory import EventState, Inventory
from services.kit.rpc import context
from services.kit.rpc.errors import Unavailable
from tests.services.bookings.conftest import ScriptedCatalogue, concert
from tests.services.conditions import until


class Runway:
    """Answers for events only after it was opened."""

    def __init__(self, scripted: ScriptedCatalogue) -> None:
        self._scripted = scripted
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()
        self.left_seconds: list[float] = []

    async def fetch(self, event: int | str) -> EventState:
        """Returns the scripted state as it is when the runway opens."""
        self.left_seconds.append(context.remaining_seconds(60))
        self.asked.set()
        await self.opened.wait()
        return await self._scripted.fetch(event)


@pytest.fixture
def runway(scripted: ScriptedCatalogue) -> Runway:
    """Returns a closed runway over the scripted catalogue."""
    return Runway(scripted)


async def test_many_who_ask_at_once_share_one_flight(
    scripted: ScriptedCatalogue, catalogue: Catalogue
) -> None:
    """A rush on a new event would send one call to events for each request."""
    scripted.states[1] = concert()
    found = await asyncio.gather(*(catalogue.learn([1]) for _ in range(50)))
    assert found == [{}] * 50
    assert scripted.fetched == [1]


async def test_an_absent_event_is_asked_for_once_more_by_those_who_joined(
    scripted: ScriptedCatalogue, catalogue: Catalogue
) -> None:
    """A rush on a missing event would send one call to events for each request."""
    found = await asyncio.gather(*(catalogue.learn([1]) for _ in range(50)))
    assert all(isinstance(missing[1], EventNotFound) for missing in found)
    assert scripted.fetched == [1, 1]


async def test_a_caller_who_joins_an_older_read_gets_a_newer_one(
    scripted: ScriptedCatalogue, inventory: Inventory
) -> None:
    """An event that was created during another caller's fetch would be called missing."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def fetch(event: int | str) -> EventState:
        if not asked.is_set():
            asked.set()
            await answered.wait()
            raise EventNotFound
        return await scripted.fetch(event)

    catalogue = Catalogue(fetch, inventory)
    early = asyncio.create_task(catalogue.learn([1]))
    await asked.wait()
    scripted.states[1] = concert()
    late = asyncio.create_task(catalogue.learn([1]))
    await asyncio.sleep(0)
    answered.set()
    assert isinstance((await early)[1], EventNotFound)
    assert await late == {}


async def test_events_are_told_apart(scripted: ScriptedCatalogue, catalogue: Catalogue) -> None:
    """A missing event would fail the requests for another one."""
    scripted.states = {1: concert(1), 3: concert(3)}
    missing = await catalogue.learn([1, 2, 3])
    assert list(missing) == [2]
    assert sorted(scripted.fetched) == [1, 2, 3]


async def test_a_failed_flight_is_not_remembered(
    scripted: ScriptedCatalogue, catalogue: Catalogue
) -> None:
    """New events would stay unknown after an outage of events."""
    scripted.states[1] = concert()
    scripted.refusal = Unavailable()
    assert isinstance((await catalogue.learn([1]))[1], Unavailable)
    scripted.refusal = None
    assert await catalogue.learn([1]) == {}


async def test_a_caller_who_gives_up_leaves_the_read_to_the_others(
    scripted: ScriptedCatalogue, inventory: Inventory, runway: Runway
) -> None:
    """A cancelled caller would cancel the fetch for all other callers."""
    scripted.states[1] = concert()
    catalogue = Catalogue(runway.fetch, inventory)
    first = asyncio.create_task(catalogue.learn([1]))
    await runway.asked.wait()
    second = asyncio.create_task(catalogue.learn([1]))
    await asyncio.sleep(0)
    first.cancel()
    runway.opened.set()
    assert await second == {}
    with pytest.raises(asyncio.CancelledError):
        await first
    assert scripted.fetched == [1]


async def test_a_flight_does_not_hurry_for_who_started_it(
    scripted: ScriptedCatalogue, inventory: Inventory, runway: Runway
) -> None:
    """The short deadline of the first caller would fail the fetch for all other callers."""
    scripted.states[1] = concert()
    runway.opened.set()

    async def hurried() -> None:
        context.set_deadline(0.001)
        await Catalogue(runway.fetch, inventory).learn([1])

    await asyncio.create_task(hurried())
    assert runway.left_seconds == [60]


async def test_a_flight_that_nobody_waits_for_still_lands(
    scripted: ScriptedCatalogue, inventory: Inventory, runway: Runway
) -> None:
    """The result of a cancelled caller's fetch would be lost, or its error be unhandled."""
    scripted.states[1] = concert()
    catalogue = Catalogue(runway.fetch, inventory)
    alone = asyncio.create_task(catalogue.learn([1]))
    await runway.asked.wait()
    alone.cancel()
    runway.opened.set()

    async def is_known() -> bool:
        return bool(await inventory.count_seats([1]))

    await until(is_known)
