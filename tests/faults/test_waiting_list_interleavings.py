"""Waiting, leaving and being served, in every order with what frees and adds seats."""

import asyncio

import psycopg
import pytest

from services.bookings.decisions import Reservation, Waiting
from services.bookings.errors import AlreadyCancelled
from services.bookings.waiting_list import Given
from tests.conftest import Database
from tests.faults.interleaving import Interleavings, Work
from tests.faults.line import LOCKS_OF_BOOK, Line, Owner, alter, book, giving_back, growing, ticket
from tests.services.bookings.conftest import GATE
from tests.services.bookings.ledger import replay
from tests.services.conditions import until_blocked


async def test_a_cancellation_meets_somebody_who_leaves(
    interleavings: Interleavings, line: Line
) -> None:
    """Whoever leaves is served or gone, never both; the seat is the next one's then."""

    async def works() -> list[Work]:
        number = await line.open("holder", "first", "second")
        return [giving_back(number, "holder"), giving_back(number, "first")]

    seen = set()
    async for cancelled, left in interleavings.each(works):
        assert isinstance(cancelled, Given)
        assert isinstance(left, Given)
        line.expect_at_rest()
        # Served first, then what they left was a booking; or gone from the line before.
        assert line.states()["first"] == ("SERVED" if left.outcome == "CANCELLED" else "LEFT")
        assert line.live() == {"second"}
        seen.add(left.outcome)
    assert seen == {"CANCELLED", "LEFT"}


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
        assert cancelled.promoted == isinstance(booked, Waiting)
        seen.add(type(booked))
    assert seen == {Waiting, Reservation}


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
        assert {type(one) for one in outcomes} == {Given, AlreadyCancelled}
        line.expect_at_rest()
        assert line.live() == {"first"}


async def test_without_the_lock_somebody_is_served_and_told_that_it_is_over(
    interleavings: Interleavings, broken_line: Line, owner: Owner
) -> None:
    """Negative control: who leaves while they are promoted keeps the seat, and does not know it."""
    lock = "    PERFORM FROM inventory WHERE event_id = event FOR NO KEY UPDATE;\n"
    alter(owner, "cancel_ticket.sql", {lock: ""})

    async def works() -> list[Work]:
        number = await broken_line.open("holder", "first", "second")
        return [giving_back(number, "holder"), giving_back(number, "first")]

    deceived = [
        "first" in broken_line.live() and not isinstance(left, Given)
        async for _, left in interleavings.each(works)
    ]
    assert any(deceived)


async def test_without_the_lock_a_seat_stays_free_while_somebody_waits(
    broken_line: Line, owner: Owner, database: Database
) -> None:
    """Negative control: who joins on what was read before misses the last cancellation."""
    alter(owner, "book_tickets.sql", LOCKS_OF_BOOK)
    gate = f"    PERFORM pg_advisory_xact_lock_shared({GATE});\n"
    read = "    SELECT * INTO stock FROM inventory WHERE event_id = event;\n    IF stock"
    alter(owner, "book_late.sql", {read: read.replace("    IF", gate + "    IF")})
    # Two changes at one revision: this would have caught it.
    owner.execute("ALTER TABLE ledger DROP CONSTRAINT ledger_pk")
    number = await broken_line.open("holder")
    with psycopg.connect(database.owner_dsn, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [GATE])
        late = asyncio.create_task(book(broken_line.pool, number, "late"))
        async with await psycopg.AsyncConnection.connect(
            database.owner_dsn, autocommit=True
        ) as watcher:
            await until_blocked(watcher, 1)
        await broken_line.give_back("holder")
    assert isinstance(await late, Waiting)
    with pytest.raises(AssertionError, match="a seat is free and somebody waits"):
        broken_line.expect_at_rest()
    with pytest.raises(AssertionError):
        replay(database, number, capacity=1)
