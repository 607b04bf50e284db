"""The sweeper, in every order with itself, with growing events and with offers, and without it."""

import asyncio

import psycopg
import pytest

from services.bookings.inventory import Inventory, Verdict, store, waiting
from services.bookings.inventory.commands import Booked, Outcome, Waiting
from services.bookings.waiting_list.waiting_list import Standing, WaitingList
from tests.conftest import Database
from tests.faults.interleaving import Interleavings, Work
from tests.faults.line import (
    TWO_HOURS,
    Line,
    book,
    growing,
    key_of,
    sweeping,
    ticket,
)
from tests.faults.stage import concert
from tests.services.bookings.conftest import GATE, SKIP_LOCKED, drift, put_a_gate_behind_the_lock
from tests.services.conditions import until_blocked


async def test_two_sweepers_meet(interleavings: Interleavings, line: Line) -> None:
    """One of them serves whoever is next; the other one finds nothing to do."""

    async def works() -> list[Work]:
        await line.open_with_a_free_seat("first", "second")
        return [sweeping(), sweeping()]

    async for swept in interleavings.each(works):
        assert swept == [False, False]
        line.expect_at_rest()
        assert line.live() == {"first"}
        assert line.states()["second"] == "WAITING"


async def test_two_sweepers_meet_over_an_offer_that_ended(
    interleavings: Interleavings, line: Line
) -> None:
    """It ends once, the next one has it, and that one ends as well."""

    async def works() -> list[Work]:
        await line.open_with_an_offer("second", "third")
        line.forward(TWO_HOURS)
        return [sweeping(), sweeping()]

    async for swept in interleavings.each(works):
        assert swept == [False, False]
        line.expect_at_rest()
        states = ["EXPIRED", "OFFERED", "WAITING"]
        assert line.states() == dict(zip(["first", "second", "third"], states, strict=True))


async def test_without_the_lock_two_sweepers_give_a_seat_twice(
    interleavings: Interleavings, broken_line: Line, unlocked: Database
) -> None:
    """Negative control: both serve who was first when they looked."""

    async def works() -> list[Work]:
        await broken_line.open_with_a_free_seat("first", "second")
        return [sweeping(), sweeping()]

    taken = [broken_line.stage.in_force()[1] async for _ in interleavings.each(works)]
    assert max(taken) == 2
    assert drift(unlocked)


async def test_a_sweeper_meets_more_seats(interleavings: Interleavings, line: Line) -> None:
    """Everybody is served who can be, once and in order."""

    async def works() -> list[Work]:
        number = await line.open_with_a_free_seat("first", "second", "third")
        return [sweeping(), growing(number, 2, rev=3)]

    async for swept, _ in interleavings.each(works):
        assert swept is False
        line.expect_at_rest()
        assert line.live() == {"first", "second"}
        assert line.states()["third"] == "WAITING"


async def test_without_the_lock_a_sweeper_serves_who_has_one_of_the_new_seats(
    interleavings: Interleavings, broken_line: Line, unlocked: Database
) -> None:
    """Negative control: it serves the first one, who was served with the seats that were added."""

    async def works() -> list[Work]:
        number = await broken_line.open_with_a_free_seat("first", "second", "third")
        return [sweeping(), growing(number, 2, rev=3)]

    taken = [broken_line.stage.in_force()[1] async for _ in interleavings.each(works)]
    assert max(taken) == 3
    assert drift(unlocked)


async def test_an_offer_has_ended_when_it_is_accepted(
    interleavings: Interleavings, line: Line
) -> None:
    """It is too late: whoever comes first ends it, and the next one has the offer."""

    async def works() -> list[Work]:
        number = await line.open_with_an_offer("second")
        line.forward(TWO_HOURS)
        return [sweeping(), ticket(number, "first"), sweeping()]

    async for _, booked, _ in interleavings.each(works, by_statement=False):
        assert isinstance(booked, Waiting)
        line.expect_at_rest()
        assert line.live() == {"second"}


async def test_an_offer_ends_while_it_is_accepted(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked in time has it: nothing ends it under them, whether or not others wait."""
    monkeypatch.setattr(store, "SKIP_LOCKED", SKIP_LOCKED)
    for others in ([], ["second"]):
        assert isinstance(await accept_while_it_ends(line, *others), Booked)
        line.expect_at_rest()
        assert line.live() == {"first"}


async def test_without_the_lock_an_offer_is_accepted_that_has_gone_to_the_next(
    broken_line: Line, unlocked: Database
) -> None:
    """Negative control: the offer ends between looking at it and accepting it, and two have it."""
    assert isinstance(await accept_while_it_ends(broken_line, "second"), Booked)
    assert broken_line.live() == {"first", "second"}
    assert drift(unlocked)


async def test_without_a_sweeper_an_offer_that_ended_blocks_nobody(line: Line) -> None:
    """Nor does it count: the seat is shown as free, can be taken away, and who comes has it."""
    number = await line.open_with_an_offer()
    line.forward(TWO_HOURS)
    assert await WaitingList(line.pool).standing(number, "first") == Standing("none")
    [seats] = (await Inventory(line.pool).count_seats([number])).values()
    assert seats.booked == seats.capacity - 1
    assert isinstance(await book(line.pool, number, "walk-in"), Booked)
    assert line.live() == {"walk-in"}
    assert line.states()["first"] == "EXPIRED"

    number = await line.open_with_an_offer()
    line.forward(TWO_HOURS)
    without = concert(number, 2, 0, key=key_of(number))
    assert (await Inventory(line.pool).apply(without)).verdict is Verdict.APPLIED
    assert line.live() == set()


async def test_if_only_the_sweeper_ended_offers_they_would_block(
    broken_line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: whoever comes waits for a seat that nobody has."""
    monkeypatch.setattr(waiting, "settle", lambda *_: None)
    number = await broken_line.open_with_an_offer()
    broken_line.forward(TWO_HOURS)
    assert isinstance(await book(broken_line.pool, number, "walk-in"), Waiting)


async def accept_while_it_ends(line: Line, *others: str) -> Outcome:
    """Accepts an offer that ends, and is swept, between looking at it and accepting it."""
    number = await line.open_with_an_offer(*others)
    put_a_gate_behind_the_lock(line.database)
    dsn = line.database.owner_dsn
    with psycopg.connect(dsn, autocommit=True) as gatekeeper:
        gatekeeper.execute("SELECT pg_advisory_lock(%s)", [GATE])
        accepting = asyncio.create_task(book(line.pool, number, "first"))
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as watcher:
            await until_blocked(watcher, 1)
        line.forward(TWO_HOURS)
        await Inventory(line.pool).sweep()
    return await accepting
