"""Waiting, leaving and being served, in every order with what frees and adds seats."""

import pytest

from services.bookings.errors import AlreadyCancelled
from services.bookings.inventory.commands import Booked, Cancelled, LeftLine, Waiting
from tests.conftest import Database
from tests.faults.interleaving import Interleavings, Work
from tests.faults.line import Line, giving_back, growing, ticket
from tests.services.bookings.conftest import drift
from tests.services.bookings.ledger import replay


async def test_a_cancellation_meets_somebody_who_leaves(
    interleavings: Interleavings, line: Line
) -> None:
    """Whoever leaves is served or gone, never both; the seat is the next one's then."""

    async def works() -> list[Work]:
        number = await line.open("holder", "first", "second")
        return [giving_back(number, "holder"), giving_back(number, "first")]

    seen = set()
    async for cancelled, left in interleavings.each(works):
        assert isinstance(cancelled, Cancelled)
        line.expect_at_rest()
        # Served first, then what they left was a booking; or gone from the line before.
        assert line.states()["first"] == ("SERVED" if isinstance(left, Cancelled) else "LEFT")
        assert line.live() == {"second"}
        seen.add(type(left))
    assert seen == {Cancelled, LeftLine}


async def test_somebody_joins_just_when_a_seat_comes_free(
    interleavings: Interleavings, line: Line
) -> None:
    """Whoever asks after the cancellation has it, and who asked before is served by it."""

    async def works() -> list[Work]:
        number = await line.open("holder")
        return [giving_back(number, "holder"), ticket(number, "late")]

    seen = set()
    async for cancelled, booked in interleavings.each(works):
        line.expect_at_rest()
        assert line.live() == {"late"}
        assert cancelled.served == isinstance(booked, Waiting)
        seen.add(type(booked))
    assert seen == {Waiting, Booked}


async def test_a_promotion_meets_more_seats(interleavings: Interleavings, line: Line) -> None:
    """Everybody is served who can be, once and in order."""

    async def works() -> list[Work]:
        number = await line.open("holder", "first", "second", "third")
        return [giving_back(number, "holder"), growing(number, 2)]

    async for _ in interleavings.each(works):
        line.expect_at_rest()
        assert line.live() == {"first", "second"}
        assert line.states()["third"] == "WAITING"


async def test_two_cancellations_of_one_ticket(interleavings: Interleavings, line: Line) -> None:
    """One seat is freed once, and one is served."""

    async def works() -> list[Work]:
        number = await line.open("holder", "first", "second")
        return [giving_back(number, "holder"), giving_back(number, "holder")]

    async for outcomes in interleavings.each(works):
        assert {type(one) for one in outcomes} == {Cancelled, AlreadyCancelled}
        line.expect_at_rest()
        assert line.live() == {"first"}


async def test_without_the_lock_somebody_is_served_and_told_that_it_is_over(
    interleavings: Interleavings, broken_line: Line, unlocked: Database
) -> None:
    """Negative control: who leaves while they are promoted keeps the seat, and does not know it."""

    async def works() -> list[Work]:
        number = await broken_line.open("holder", "first", "second")
        return [giving_back(number, "holder"), giving_back(number, "first")]

    deceived = [
        "first" in broken_line.live() and isinstance(left, LeftLine)
        async for _, left in interleavings.each(works)
    ]
    assert any(deceived)
    assert drift(unlocked)


async def test_without_the_lock_a_seat_stays_free_while_somebody_waits(
    interleavings: Interleavings, broken_line: Line, unlocked: Database
) -> None:
    """Negative control: who joins on what was read before misses the last cancellation."""

    async def works() -> list[Work]:
        number = await broken_line.open("holder")
        return [giving_back(number, "holder"), ticket(number, "late")]

    missed = 0
    async for _, late in interleavings.each(works):
        if isinstance(late, Waiting) and not broken_line.live():
            missed += 1
            with pytest.raises(AssertionError):
                replay(unlocked, broken_line.stage.event_id, capacity=1)
    assert missed
