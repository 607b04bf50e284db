"""Interleavings of the sweeper with itself, with added seats and with offers."""

import asyncio
from uuid import uuid4

import psycopg
import pytest

from services.bookings.inventory import Ask, Inventory, Verdict, store, waiting
from services.bookings.inventory.commands import Booked, Outcome, Waiting
from services.bookings.inventory.payment_commands import Paid, StartPayment
from services.bookings.waiting_list.waiting_list import Standing, WaitingList
from tests.conftest import Database
from tests.faults.events_fixture import concert
from tests.faults.interleaving import Interleavings, Work
from tests.faults.waiting_list_fixture import (
    TWO_HOURS,
    WaitingListFixture,
    book,
    growing,
    key_of,
    sweeping,
    ticket,
)
from tests.services.bookings.conftest import GATE, SKIP_LOCKED, drift, put_a_gate_behind_the_lock
from tests.services.conditions import until_blocked


async def test_two_sweepers(interleavings: Interleavings, waiting_list: WaitingListFixture) -> None:
    """Two sweepers could promote two users to one seat."""

    async def works() -> list[Work]:
        await waiting_list.create_with_a_free_seat("first", "second")
        return [sweeping(), sweeping()]

    async for swept in interleavings.each(works):
        assert swept == [False, False]
        waiting_list.check_settled()
        assert waiting_list.holders() == {"first"}
        assert waiting_list.states()["second"] == "WAITING"


async def test_two_sweepers_with_an_ended_offer(
    interleavings: Interleavings, waiting_list: WaitingListFixture
) -> None:
    """An offer could end twice, and skip the next in line."""

    async def works() -> list[Work]:
        await waiting_list.create_with_an_offer("second", "third")
        waiting_list.forward(TWO_HOURS)
        return [sweeping(), sweeping()]

    async for swept in interleavings.each(works):
        assert swept == [False, False]
        waiting_list.check_settled()
        states = ["EXPIRED", "OFFERED", "WAITING"]
        assert waiting_list.states() == dict(zip(["first", "second", "third"], states, strict=True))


async def test_without_the_lock_two_sweepers_give_a_seat_twice(
    interleavings: Interleavings, waiting_list: WaitingListFixture, unlocked: Database
) -> None:
    """Negative control: both promote the user who was first when they read the list."""

    async def works() -> list[Work]:
        await waiting_list.create_with_a_free_seat("first", "second")
        return [sweeping(), sweeping()]

    taken = [waiting_list.events.in_force()[1] async for _ in interleavings.each(works)]
    assert max(taken) == 2
    assert drift(unlocked)


async def test_a_sweeper_with_added_seats(
    interleavings: Interleavings, waiting_list: WaitingListFixture
) -> None:
    """Somebody could be promoted twice, or out of order, or not at all."""

    async def works() -> list[Work]:
        number = await waiting_list.create_with_a_free_seat("first", "second", "third")
        return [sweeping(), growing(number, 2, rev=3)]

    async for swept, _ in interleavings.each(works):
        assert swept is False
        waiting_list.check_settled()
        assert waiting_list.holders() == {"first", "second"}
        assert waiting_list.states()["third"] == "WAITING"


async def test_without_the_lock_a_sweeper_promotes_a_user_twice(
    interleavings: Interleavings, waiting_list: WaitingListFixture, unlocked: Database
) -> None:
    """Negative control: it promotes the first user, who already has one of the added seats."""

    async def works() -> list[Work]:
        number = await waiting_list.create_with_a_free_seat("first", "second", "third")
        return [sweeping(), growing(number, 2, rev=3)]

    taken = [waiting_list.events.in_force()[1] async for _ in interleavings.each(works)]
    assert max(taken) == 3
    assert drift(unlocked)


async def test_an_ended_offer_is_not_accepted(
    interleavings: Interleavings, waiting_list: WaitingListFixture
) -> None:
    """A late acceptance could take the seat from the user who has the next offer."""

    async def works() -> list[Work]:
        number = await waiting_list.create_with_an_offer("second")
        waiting_list.forward(TWO_HOURS)
        return [sweeping(), ticket(number, "first"), sweeping()]

    async for _, booked, _ in interleavings.each(works, by_statement=False):
        assert isinstance(booked, Waiting)
        waiting_list.check_settled()
        assert waiting_list.holders() == {"second"}


async def test_an_offer_ends_while_its_payment_starts(
    waiting_list: WaitingListFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who pays in time could lose the seat to the sweeper."""
    monkeypatch.setattr(store, "SKIP_LOCKED", SKIP_LOCKED)
    for others in ([], ["second"]):
        assert isinstance(await pay_while_it_ends(waiting_list, *others), Paid)
        waiting_list.check_settled()
        assert waiting_list.holders() == {"first"}


async def test_without_the_lock_two_users_have_one_offer(
    waiting_list: WaitingListFixture, unlocked: Database
) -> None:
    """Negative control: the offer ends between the check and the payment, and two have it."""
    assert isinstance(await pay_while_it_ends(waiting_list, "second"), Paid)
    assert waiting_list.holders() == {"first", "second"}
    assert drift(unlocked)


async def test_without_a_sweeper_an_offer_that_ended_blocks_nobody(
    waiting_list: WaitingListFixture,
) -> None:
    """While the sweeper is away, a seat could stay blocked by an offer that ended."""
    number = await waiting_list.create_with_an_offer()
    waiting_list.forward(TWO_HOURS)
    assert await WaitingList(waiting_list.pool).standing(number, "first") == Standing("none")
    [seats] = (await Inventory(waiting_list.pool).count_seats([number])).values()
    assert seats.booked == seats.capacity - 1
    assert isinstance(await book(waiting_list.pool, number, "walk-in"), Booked)
    assert waiting_list.holders() == {"walk-in"}
    assert waiting_list.states()["first"] == "EXPIRED"

    number = await waiting_list.create_with_an_offer()
    waiting_list.forward(TWO_HOURS)
    without = concert(number, 2, 0, key=key_of(number))
    assert (await Inventory(waiting_list.pool).apply(without)).verdict is Verdict.APPLIED
    assert waiting_list.holders() == set()


async def test_with_offers_ended_by_the_sweeper_only_a_user_waits(
    waiting_list: WaitingListFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without expiring holds at each decision, a user waits for a free seat."""
    monkeypatch.setattr(waiting, "expire_and_promote", lambda *_: None)
    number = await waiting_list.create_with_an_offer()
    waiting_list.forward(TWO_HOURS)
    assert isinstance(await book(waiting_list.pool, number, "walk-in"), Waiting)


async def pay_while_it_ends(waiting_list: WaitingListFixture, *others: str) -> Outcome:
    """Starts to pay an offer that ends, and is swept, between the check and the payment."""
    number = await waiting_list.create_with_an_offer(*others)
    offer = await book(waiting_list.pool, number, "first")
    assert isinstance(offer, Booked)
    paying = Ask(StartPayment(number, offer.booking.id, uuid4(), "sandbox", "card"))
    put_a_gate_behind_the_lock(waiting_list.database)
    dsn = waiting_list.database.owner_dsn
    with psycopg.connect(dsn, autocommit=True) as gatekeeper:
        gatekeeper.execute("SELECT pg_advisory_lock(%s)", [GATE])
        starting = asyncio.create_task(Inventory(waiting_list.pool).decide([paying]))
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as watcher:
            await until_blocked(watcher, 1)
        waiting_list.forward(TWO_HOURS)
        await Inventory(waiting_list.pool).sweep()
    [started] = await starting
    return started
