"""Interleavings of the waiting list with changes that free or add seats."""

import pytest

from services.bookings.errors import AlreadyCancelled
from services.bookings.inventory.commands import Booked, Cancelled, LeftLine, Waiting
from tests.conftest import Database
from tests.faults.interleaving import Interleavings, Work
from tests.faults.waiting_list_fixture import WaitingListFixture, giving_back, growing, ticket
from tests.services.bookings.conftest import drift
from tests.services.bookings.ledger import replay


async def test_a_cancellation_with_a_user_who_leaves(
    interleavings: Interleavings, waiting_list: WaitingListFixture
) -> None:
    """A user could leave and be promoted, and the seat be lost to the next in line."""

    async def works() -> list[Work]:
        number = await waiting_list.create_event("holder", "first", "second")
        return [giving_back(number, "holder"), giving_back(number, "first")]

    seen = set()
    async for cancelled, left in interleavings.each(works):
        assert isinstance(cancelled, Cancelled)
        waiting_list.check_settled()
        # If the user was promoted first, a booking was given up; otherwise a place in the list.
        assert waiting_list.states()["first"] == (
            "SERVED" if isinstance(left, Cancelled) else "LEFT"
        )
        assert waiting_list.holders() == {"second"}
        seen.add(type(left))
    assert seen == {Cancelled, LeftLine}


async def test_a_user_joins_while_a_seat_comes_free(
    interleavings: Interleavings, waiting_list: WaitingListFixture
) -> None:
    """A user who joins could miss the last cancellation and wait beside a free seat."""

    async def works() -> list[Work]:
        number = await waiting_list.create_event("holder")
        return [giving_back(number, "holder"), ticket(number, "late")]

    seen = set()
    async for cancelled, booked in interleavings.each(works):
        waiting_list.check_settled()
        assert waiting_list.holders() == {"late"}
        assert cancelled.served == isinstance(booked, Waiting)
        seen.add(type(booked))
    assert seen == {Waiting, Booked}


async def test_a_promotion_with_added_seats(
    interleavings: Interleavings, waiting_list: WaitingListFixture
) -> None:
    """Somebody could be promoted twice, or out of order, or not at all."""

    async def works() -> list[Work]:
        number = await waiting_list.create_event("holder", "first", "second", "third")
        return [giving_back(number, "holder"), growing(number, 2)]

    async for _ in interleavings.each(works):
        waiting_list.check_settled()
        assert waiting_list.holders() == {"first", "second"}
        assert waiting_list.states()["third"] == "WAITING"


async def test_two_cancellations_of_one_ticket(
    interleavings: Interleavings, waiting_list: WaitingListFixture
) -> None:
    """One seat could be freed twice, and two users be promoted."""

    async def works() -> list[Work]:
        number = await waiting_list.create_event("holder", "first", "second")
        return [giving_back(number, "holder"), giving_back(number, "holder")]

    async for outcomes in interleavings.each(works):
        assert {type(one) for one in outcomes} == {Cancelled, AlreadyCancelled}
        waiting_list.check_settled()
        assert waiting_list.holders() == {"first"}


async def test_without_the_lock_a_user_who_left_is_promoted(
    interleavings: Interleavings, waiting_list: WaitingListFixture, unlocked: Database
) -> None:
    """Negative control: a user who leaves is promoted all the same, and is not told."""

    async def works() -> list[Work]:
        number = await waiting_list.create_event("holder", "first", "second")
        return [giving_back(number, "holder"), giving_back(number, "first")]

    misled = [
        "first" in waiting_list.holders() and isinstance(left, LeftLine)
        async for _, left in interleavings.each(works)
    ]
    assert any(misled)
    assert drift(unlocked)


async def test_without_the_lock_a_seat_stays_free_while_a_user_waits(
    interleavings: Interleavings, waiting_list: WaitingListFixture, unlocked: Database
) -> None:
    """Negative control: a user who joins on old counts misses the last cancellation."""

    async def works() -> list[Work]:
        number = await waiting_list.create_event("holder")
        return [giving_back(number, "holder"), ticket(number, "late")]

    missed = 0
    async for _, late in interleavings.each(works):
        if isinstance(late, Waiting) and not waiting_list.holders():
            missed += 1
            with pytest.raises(AssertionError):
                replay(unlocked, waiting_list.events.event_id, capacity=1)
    assert missed
