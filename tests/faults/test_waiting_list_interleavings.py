"""Waiting, leaving and being served, in every order with what frees and adds seats."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services import bookings
from services.bookings.catalogue import Catalogue
from services.bookings.decisions import TICKET, Outcome, Request, Reservation, Waiting
from services.bookings.errors import AlreadyCancelled
from services.bookings.inventory import Inventory
from services.bookings.keys import Keys
from services.bookings.reservations import Reservations
from services.bookings.waiting_list import Given, WaitingList
from services.kit.postgres import Pool, open_pool
from tests.conftest import Database
from tests.faults.interleaving import Interleavings, Session, Work
from tests.faults.stage import ANYBODY, Stage, applying, concert
from tests.services.bookings.conftest import GATE, ScriptedCatalogue, clock_forward
from tests.services.conditions import until_blocked

FUNCTIONS = Path(bookings.__file__).parent / "migrations/functions"
PRICED: dict[str, Any] = {"price_amount_minor": 1000, "price_currency": "EUR"}
TWO_HOURS = 2 * 3600 + 1
Owner = psycopg.Connection[Any]


def ticket(event_id: int, user_id: str) -> Work:
    """Asks for a ticket; its transaction stays open for a while."""

    async def book(session: Session) -> Outcome:
        return await _book(session.pool("bookings", transactions=True), event_id, user_id)

    return book


def giving_back(event_id: int, user_id: str) -> Work:
    """Gives a ticket back, or leaves the list."""
    return lambda session: _list(session.pool("bookings")).give_back(
        _key(event_id), user_id, ANYBODY, ""
    )


def sweeping() -> Work:
    """Sweeps once."""
    return lambda session: _list(session.pool("bookings", transactions=True)).sweep()


def growing(event_id: int, capacity: int, **changes: Any) -> Work:
    """Adds seats."""
    return applying(concert(event_id, 2, capacity, key=_key(event_id), **changes))


async def _book(pool: Pool, event_id: int, user_id: str) -> Outcome:
    catalogue = Catalogue(ScriptedCatalogue().fetch, Inventory(pool))
    asked = [Request(event_id, user_id, way=TICKET)]
    [outcome] = await Reservations(pool, catalogue).reserve(asked)
    return outcome


def _list(pool: Pool) -> WaitingList:
    catalogue = Catalogue(ScriptedCatalogue().fetch, Inventory(pool))
    return WaitingList(pool, Keys(pool, catalogue))


def _key(event_id: int) -> str:
    return f"event-{event_id}"


class Line:
    """Makes events with people in line, and tells what is true of them in the end."""

    def __init__(self, stage: Stage, owner: Owner, pool: Pool) -> None:
        self.stage = stage
        self.owner = owner
        self.pool = pool

    async def open(self, *users: str, capacity: int = 1, **changes: Any) -> int:
        """Makes an event for which these users ask in their order."""
        number = self.stage.number()
        state = concert(number, 1, capacity, key=_key(number), **changes)
        await Inventory(self.pool).apply(state)
        for user in users:
            await _book(self.pool, number, user)
        return number

    def states(self) -> dict[str, str]:
        """Tells the state of each user's last entry."""
        rows = self.owner.execute(
            "SELECT user_id, state FROM waiting_list WHERE event_id = %s ORDER BY place",
            [self.stage.event_id],
        )
        return dict(rows.fetchall())

    def live(self) -> set[str]:
        """Tells who has a live booking."""
        rows = self.owner.execute(
            "SELECT user_id FROM booking_details"
            " WHERE event_id = %s AND status IN ('HELD', 'CONFIRMED')",
            [self.stage.event_id],
        )
        return {user for (user,) in rows.fetchall()}

    def expect_at_rest(self) -> None:
        """Fails if seats are free while somebody waits, or more are taken than there are."""
        capacity, taken, *_ = self.stage.in_force()
        assert taken <= capacity
        assert taken == len(self.live())
        waits = "WAITING" in self.states().values()
        assert not (waits and taken < capacity), "a seat is free and somebody waits"


@pytest.fixture
async def line(stage: Stage, owner: Owner, database: Database) -> AsyncIterator[Line]:
    """Gives lines on a stage; in the end all counts right."""
    async with open_pool(database.bookings_dsn, schema="bookings", size=2) as pool:
        yield Line(stage, owner, pool)


@pytest.fixture
async def broken_line(broken_stage: Stage, owner: Owner, database: Database) -> AsyncIterator[Line]:
    """Gives lines on a stage on which things may go wrong."""
    async with open_pool(database.bookings_dsn, schema="bookings", size=2) as pool:
        yield Line(broken_stage, owner, pool)


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


async def test_an_offer_ends_just_when_it_is_accepted(
    interleavings: Interleavings, line: Line, database: Database
) -> None:
    """It is too late: whoever comes first ends it, and the next one has the offer."""

    async def works() -> list[Work]:
        clock_forward(database, seconds=0)
        number = await line.open("holder", "first", "second", **PRICED)
        await _list(line.pool).give_back(_key(number), "holder", ANYBODY, "")
        clock_forward(database, seconds=TWO_HOURS)
        return [sweeping(), ticket(number, "first"), sweeping()]

    async for _, booked, _ in interleavings.each(works, by_statement=False):
        assert isinstance(booked, Waiting)
        line.expect_at_rest()
        assert line.live() == {"second"}
    clock_forward(database, seconds=0)


async def test_without_the_lock_somebody_is_served_and_told_that_it_is_over(
    interleavings: Interleavings, broken_line: Line, owner: Owner
) -> None:
    """Negative control: who leaves while they are promoted keeps the seat, and does not know it."""
    lock = "    PERFORM FROM inventory WHERE event_id = event FOR NO KEY UPDATE;\n"
    _replace(owner, "cancel_ticket.sql", {lock: ""})

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
    _replace(
        owner,
        "book_tickets.sql",
        {"        FOR NO KEY UPDATE;\n": ";\n", "        FOR NO KEY UPDATE SKIP LOCKED\n": ""},
    )
    gate = f"    PERFORM pg_advisory_xact_lock_shared({GATE});\n"
    read = "    SELECT * INTO stock FROM inventory WHERE event_id = event;\n    IF stock"
    _replace(owner, "book_late.sql", {read: read.replace("    IF", gate + "    IF")})
    # Two changes at one revision: this would have caught it.
    owner.execute("ALTER TABLE ledger DROP CONSTRAINT ledger_pk")
    number = await broken_line.open("holder")
    with psycopg.connect(database.owner_dsn, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [GATE])
        late = asyncio.create_task(_book(broken_line.pool, number, "late"))
        async with await psycopg.AsyncConnection.connect(
            database.owner_dsn, autocommit=True
        ) as watcher:
            await until_blocked(watcher, 1)
        await _list(broken_line.pool).give_back(_key(number), "holder", ANYBODY, "")
    assert isinstance(await late, Waiting)
    with pytest.raises(AssertionError, match="a seat is free and somebody waits"):
        broken_line.expect_at_rest()


def _replace(owner: Owner, name: str, changes: dict[str, str]) -> None:
    """Replaces parts of a function, each of which must be there once."""
    text = (FUNCTIONS / name).read_text(encoding="utf-8")
    for part, other in changes.items():
        assert text.count(part) == 1, part
        text = text.replace(part, other)
    owner.execute(text.encode())
