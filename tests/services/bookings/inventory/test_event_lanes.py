"""Lanes of events over scripted transactions, without database and clock."""

import asyncio

import psycopg
import pytest

from services.bookings.inventory.commands import Book
from services.bookings.inventory.event_lanes import EventLanes
from services.bookings.inventory.lane import Lane
from services.bookings.inventory.transaction import Ask
from services.kit.rpc.errors import Unavailable
from tests.services.bookings.inventory.scripted_transactions import DONE, Scripted

ASKED = [Ask(Book(event_id, f"{event_id}-{name}")) for name in "abc" for event_id in (1, 2, 3)]


def events(batch: list[str]) -> set[str]:
    """Returns the events of a batch, from the names of its users."""
    return {user.partition("-")[0] for user in batch}


async def test_no_transaction_decides_about_two_events() -> None:
    """A transaction would lock rows on several nodes, and commit in two phases.

    The control is the lane of a single PostgreSQL, which decides all events together.
    """
    scripted, control = Scripted(), Scripted()
    assert await EventLanes(scripted).decide(ASKED) == [DONE] * 9
    assert await Lane(control).decide(ASKED) == [DONE] * 9
    assert sorted(scripted.batches) == [[f"{event}-{name}" for name in "abc"] for event in "123"]
    assert [len(events(batch)) for batch in control.batches] == [3]


async def test_outcomes_are_in_the_order_of_the_asks() -> None:
    """A caller would get the response of another one's event."""
    scripted = Scripted()
    scripted.full = {2}
    outcomes = await EventLanes(scripted).decide(ASKED)
    assert [outcome == DONE for outcome in outcomes] == [True, False, True] * 3


async def test_one_event_holds_up_no_other() -> None:
    """A slow transaction of one event would delay all events."""
    scripted = Scripted()
    scripted.free.clear()
    lanes = EventLanes(scripted)
    slow = asyncio.create_task(lanes.decide([ASKED[0]]))
    await scripted.until_begun(1)
    other = asyncio.create_task(lanes.decide([ASKED[1]]))
    await scripted.until_begun(2)
    same = asyncio.create_task(lanes.decide([ASKED[3], ASKED[6]]))
    scripted.free.set()
    assert [await slow, await other, await same] == [[DONE], [DONE], [DONE, DONE]]
    assert scripted.batches == [["1-a"], ["2-a"], ["1-b", "1-c"]]


async def test_an_event_that_fails_fails_for_itself() -> None:
    """Committed bookings of another event would be reported as failed."""
    scripted = Scripted()
    scripted.failures["1-a"] = [psycopg.errors.LockNotAvailable("timeout")]
    failed, booked = await EventLanes(scripted).decide(ASKED[:2])
    assert isinstance(failed, Unavailable)
    assert booked == DONE


async def test_all_lanes_together_have_one_limit() -> None:
    """An overloaded process would queue callers past their deadlines, event by event."""
    scripted = Scripted()
    scripted.free.clear()
    lanes = EventLanes(scripted, queue_size=5)
    first = asyncio.create_task(lanes.decide(ASKED[:5]))
    await scripted.until_begun(3)
    with pytest.raises(Unavailable):
        await lanes.decide([ASKED[5]])
    scripted.free.set()
    assert await first == [DONE] * 5
    assert await lanes.decide([ASKED[5]]) == [DONE]
