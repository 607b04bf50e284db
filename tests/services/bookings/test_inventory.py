import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from services.bookings.access import Viewer
from services.bookings.bookings import Bookings
from services.bookings.catalogue import Catalogue
from services.bookings.errors import EventNotFound, SoldOut
from services.bookings.inventory import (
    SQL,
    EventState,
    Inventory,
    Judgement,
    Stock,
    Verdict,
    apply,
    judge,
)
from services.bookings.inventory.commands import Booked
from services.bookings.reservations import Reservations
from services.kit.authentication import ANONYMOUS
from services.kit.paging import parse
from services.kit.postgres import Connection, Pool
from tests.conftest import Database
from tests.services.bookings.asking import seat
from tests.services.bookings.conftest import ScriptedCatalogue, concert, drift

STOCK = Stock(
    event_id=1,
    capacity=10,
    sold=4,
    held=1,
    rev=7,
    epoch="",
    catalogue_rev=3,
    verdict="APPLIED",
    refusal="",
    cancelled_bookings=0,
    status="PUBLISHED",
    one_booking_per_user=None,
    is_closed=False,
    was_booked=True,
)
Work = Callable[[], Awaitable[None]]
BELOW, TRANSITION = "CAPACITY_BELOW_BOOKED", "INVALID_TRANSITION"


def seats(**changes: Any) -> Stock:
    """Makes a stock without bookings."""
    return replace(STOCK, **({"sold": 0, "held": 0, "was_booked": False} | changes))


@pytest.mark.parametrize(
    ("stock", "changes", "verdict", "refusal"),
    [
        (STOCK, {"rev": 4}, Verdict.APPLIED, ""),
        (STOCK, {"rev": 4, "capacity": 5}, Verdict.APPLIED, ""),
        (STOCK, {"rev": 4, "capacity": 4}, Verdict.REFUSED, BELOW),
        (STOCK, {"rev": 3}, Verdict.APPLIED, ""),
        (STOCK, {"rev": 3, "capacity": 0}, Verdict.APPLIED, ""),
        (replace(STOCK, verdict="REFUSED", refusal=BELOW), {"rev": 3}, Verdict.REFUSED, BELOW),
        (STOCK, {"rev": 2}, Verdict.STALE, ""),
        (STOCK, {"rev": 2, "deleted": True}, Verdict.STALE, ""),
        (STOCK, {"rev": 4, "deleted": True, "capacity": 0}, Verdict.APPLIED, ""),
        (STOCK, {"rev": 4, "status": "CANCELLED"}, Verdict.APPLIED, ""),
        (STOCK, {"rev": 4, "status": "COMPLETED"}, Verdict.APPLIED, ""),
        (STOCK, {"rev": 4, "status": "DRAFT"}, Verdict.REFUSED, TRANSITION),
        (seats(), {"rev": 4, "status": "DRAFT"}, Verdict.APPLIED, ""),
        (seats(status="DRAFT", held=1), {"rev": 4, "status": "DRAFT"}, Verdict.APPLIED, ""),
        (STOCK, {"rev": 4, "one_booking_per_user": False}, Verdict.REFUSED, TRANSITION),
        (
            seats(was_booked=True),
            {"rev": 4, "one_booking_per_user": True},
            Verdict.REFUSED,
            TRANSITION,
        ),
        (seats(), {"rev": 4, "one_booking_per_user": False}, Verdict.APPLIED, ""),
        (seats(is_closed=True), {"rev": 4}, Verdict.REFUSED, TRANSITION),
        (seats(is_closed=True), {"rev": 4, "deleted": True}, Verdict.APPLIED, ""),
        (STOCK, {"rev": 9, "epoch": "other"}, Verdict.STALE, ""),
        (STOCK, {"rev": 3, "epoch": "other"}, Verdict.STALE, ""),
    ],
)
def test_a_state_is_judged_by_what_is_booked(
    stock: Stock, changes: dict[str, Any], verdict: Verdict, refusal: str
) -> None:
    """The whole rule: later wins, equal is remembered, earlier is nothing, bookings come first."""
    judged = judge(stock, concert(**({"capacity": 10} | changes)))
    assert judged == Judgement(verdict, refusal, inventory_rev=7)


def test_a_listing_begins_an_epoch_whatever_its_revisions() -> None:
    """A restored catalogue counts anew, so only its whole listing can be compared."""
    state = concert(capacity=10, rev=1, epoch="other")
    assert judge(STOCK, state, begins_epoch=True).verdict is Verdict.APPLIED
    assert judge(STOCK, replace(state, capacity=4), begins_epoch=True).verdict is Verdict.REFUSED


async def book(reservations: Reservations, *users: str, event_id: int = 1) -> list[Any]:
    """Lets each user ask for a seat."""
    return await reservations.decide([seat(event_id, user) for user in users])


async def left(inventory: Inventory, event_id: int = 1) -> int:
    """Counts the free seats."""
    counted = (await inventory.count_seats([event_id]))[event_id]
    return counted.capacity - counted.booked


async def test_a_state_that_arrives_twice_is_applied_once(
    database: Database, inventory: Inventory
) -> None:
    """Pushed, followed and read through: the same revision gets the same verdict."""
    await inventory.apply(concert())
    first = await inventory.apply(concert(capacity=60, rev=2))
    assert await inventory.apply(concert(capacity=60, rev=2)) == first
    assert first == Judgement(Verdict.APPLIED, inventory_rev=2)
    assert drift(database) == []


async def test_states_may_come_in_any_order(inventory: Inventory) -> None:
    """The latest revision is in force, though earlier ones come after it."""
    for rev in (3, 1, 4, 2):
        await inventory.apply(concert(capacity=rev * 10, rev=rev))
    assert await left(inventory) == 40


async def test_a_tombstone_that_comes_first_stays(
    inventory: Inventory, reservations: Reservations
) -> None:
    """A late live copy does not bring back an event that was deleted before it was known here."""
    await inventory.apply(concert(rev=2, deleted=True))
    assert (await inventory.apply(concert(rev=1))).verdict is Verdict.STALE
    [outcome] = await book(reservations, "ada")
    assert isinstance(outcome, EventNotFound)


async def test_a_refused_revision_stays_refused(
    inventory: Inventory, reservations: Reservations
) -> None:
    """A late duplicate of a shrink that was answered with 409 must not come into force."""
    await inventory.apply(concert(capacity=2))
    await book(reservations, "ada", "bob")
    shrink = concert(capacity=1, rev=2)
    refused = await inventory.apply(shrink)
    assert (refused.verdict, refused.refusal) == (Verdict.REFUSED, BELOW)
    await inventory.apply(concert(capacity=3, rev=3))
    assert (await inventory.apply(shrink)).verdict is Verdict.STALE
    assert await left(inventory) == 1


async def test_a_refused_revision_stays_refused_though_it_would_fit_now(
    inventory: Inventory, reservations: Reservations, pool: Pool
) -> None:
    """The verdict is of the revision, not of the day on which it is asked for again."""
    await inventory.apply(concert(capacity=2))
    await book(reservations, "ada", "bob")
    shrink = concert(capacity=1, rev=2)
    await inventory.apply(shrink)
    async with pool.connection() as connection:
        await connection.execute("UPDATE inventory SET sold = 0, live_bookings = 0")
    assert (await inventory.apply(shrink)).refusal == BELOW


async def test_an_event_may_shrink_to_what_is_booked(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """To the seat: it is full then, and the ledger tells its new size."""
    await inventory.apply(concert(capacity=5))
    await book(reservations, "ada", "bob")
    assert (await inventory.apply(concert(capacity=2, rev=2))).verdict is Verdict.APPLIED
    [outcome] = await book(reservations, "cy")
    assert isinstance(outcome, SoldOut)
    assert drift(database) == []


async def test_growth_is_for_sale_at_once(inventory: Inventory, reservations: Reservations) -> None:
    """More seats, more bookings."""
    await inventory.apply(concert(capacity=1))
    await book(reservations, "ada")
    await inventory.apply(concert(capacity=2, rev=2))
    [outcome] = await book(reservations, "bob")
    assert isinstance(outcome, Booked)


async def test_the_rule_of_one_booking_stands_once_somebody_booked(
    inventory: Inventory, reservations: Reservations
) -> None:
    """Whoever booked did so under a rule, so it does not change any more."""
    await inventory.apply(concert(one_booking_per_user=False))
    await inventory.apply(concert(one_booking_per_user=True, rev=2))
    await book(reservations, "ada")
    judged = await inventory.apply(concert(one_booking_per_user=False, rev=3))
    assert (judged.verdict, judged.refusal) == (Verdict.REFUSED, TRANSITION)


@pytest.mark.parametrize("closing", [{"deleted": True}, {"status": "CANCELLED"}])
async def test_closing_cancels_every_booking_at_once(
    database: Database,
    inventory: Inventory,
    reservations: Reservations,
    pool: Pool,
    closing: dict[str, Any],
) -> None:
    """They read as cancelled before they are written so, and are written in chunks."""
    await inventory.apply(concert())
    await book(reservations, *(f"user-{number}" for number in range(7)))
    judged = await inventory.apply(concert(rev=2, **closing))
    assert (judged.cancelled_bookings, judged.inventory_rev) == (7, 9)
    assert (await inventory.apply(concert(rev=2, **closing))) == judged
    assert await _statuses(pool) == {"CANCELLED"}
    assert await _written(database) == {"CONFIRMED": 7}
    chunked = Inventory(pool, closing_chunk=3)
    assert [await chunked.close_chunk() for _ in range(4)] == [True, True, True, False]
    assert await _written(database) == {"CANCELLED": 7}
    assert await _statuses(pool) == {"CANCELLED"}
    assert drift(database) == []


async def _statuses(pool: Pool) -> set[str]:
    catalogue = Catalogue(ScriptedCatalogue().fetch, Inventory(pool))
    viewer = Viewer(ANONYMOUS, open_access=True)
    found = await Bookings(pool, catalogue).list_all(parse(0, "", scope=""), viewer)
    assert all(booking.cancelled_at is not None for booking in found)
    return {booking.status for booking in found}


async def _written(database: Database) -> dict[str, int]:
    with psycopg.connect(database.owner_dsn) as connection:
        counted = "SELECT status, count(*) FROM bookings.bookings GROUP BY status"
        return dict(connection.execute(counted).fetchall())


async def test_two_workers_write_each_cancellation_once(
    database: Database,
    inventory: Inventory,
    reservations: Reservations,
    pool: Pool,
) -> None:
    """Replicas that close side by side neither skip a booking nor take one from a tally twice."""
    chunked = Inventory(pool, closing_chunk=10)
    for event_id in (1, 2):
        await inventory.apply(concert(event_id, capacity=100))
        users = (f"user-{number}" for number in range(50))
        await book(reservations, *users, event_id=event_id)
        await inventory.apply(concert(event_id, capacity=100, rev=2, deleted=True))

    async def close() -> None:
        while await chunked.close_chunk():
            pass

    await asyncio.gather(*(close() for _ in range(4)))
    await close()
    assert await _written(database) == {"CANCELLED": 100}
    with psycopg.connect(database.owner_dsn) as connection:
        taken = "SELECT sum(bookings) FROM bookings.tallies"
        assert connection.execute(taken).fetchone() == (-100,)


async def test_a_deletion_among_reservations_leaves_no_live_booking(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Whoever was booked before is cancelled and counted, whoever came after is refused."""
    await inventory.apply(concert(capacity=100))
    start = asyncio.Barrier(65)

    async def buy(number: int) -> Any:
        await start.wait()
        return (await book(reservations, f"user-{number}"))[0]

    async def delete() -> Judgement:
        await start.wait()
        return await inventory.apply(concert(capacity=100, rev=2, deleted=True))

    judged, *outcomes = await asyncio.gather(delete(), *(buy(number) for number in range(64)))
    made = sum(isinstance(outcome, Booked) for outcome in outcomes)
    assert judged.cancelled_bookings == made
    assert all(isinstance(outcome, Booked | EventNotFound) for outcome in outcomes)
    assert drift(database) == []
    assert await left(inventory) == 100


async def test_a_shrink_among_reservations_never_oversells(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Either the seats are gone and the shrink is refused, or they were never sold."""
    for event_id in range(1, 9):
        await inventory.apply(concert(event_id, capacity=10))
        outcomes, judged = await _shrink_while_booking(inventory, reservations, event_id)
        made = sum(isinstance(outcome, Booked) for outcome in outcomes)
        if judged.verdict is Verdict.APPLIED:
            assert made == 5
        else:
            assert (judged.refusal, made) == (BELOW, 10)
    assert drift(database) == []


async def _shrink_while_booking(
    inventory: Inventory, reservations: Reservations, event_id: int
) -> tuple[list[Any], Judgement]:
    """Lets buyers and a shrink to half meet, and buyers who want all that is left come after."""
    asked = (book(reservations, f"user-{number}", event_id=event_id) for number in range(6))
    buying = asyncio.gather(*asked)
    judged = await inventory.apply(concert(event_id, capacity=5, rev=2))
    batches = await buying
    rest = await book(reservations, *(f"late-{n}" for n in range(10)), event_id=event_id)
    return [outcome for batch in batches for outcome in batch] + rest, judged


class Interrupted:
    """A connection on which something happens between judging a state and writing it."""

    def __init__(self, connection: Connection, meanwhile: Work, *, lock: bool) -> None:
        self._connection = connection
        self._meanwhile = meanwhile
        self._lock = lock
        self.cursor = connection.cursor

    async def execute(self, statement: bytes, values: dict[str, Any]) -> Any:
        """Runs a statement, but not the lock unless wanted."""
        if statement == SQL["apply_state"]:
            await self._meanwhile()
        if statement == SQL["lock_inventory"] and not self._lock:
            return None
        return await self._connection.execute(statement, values)


async def _shrink_around_a_booking(
    inventory: Inventory, reservations: Reservations, pool: Pool, *, lock: bool
) -> list[Any]:
    """Shrinks to one seat while two are being booked; gives what became of the bookings."""
    outcomes: list[Any] = []
    await inventory.apply(concert(capacity=2))

    async def buy() -> None:
        try:
            outcomes.extend(await book(reservations, "ada", "bob"))
        except psycopg.Error as error:
            outcomes.append(error)

    async with pool.connection() as connection, connection.transaction():
        interrupted: Any = Interrupted(connection, buy, lock=lock)
        await apply(interrupted, concert(capacity=1, rev=2))
    return outcomes


async def test_nobody_books_between_the_judging_of_a_shrink_and_its_writing(
    database: Database, inventory: Inventory, reservations: Reservations, pool: Pool
) -> None:
    """The event's lock is held from before the judging until the commit."""
    outcomes = await _shrink_around_a_booking(inventory, reservations, pool, lock=True)
    assert [type(outcome) for outcome in outcomes] == [psycopg.errors.LockNotAvailable]
    assert await left(inventory) == 1
    assert drift(database) == []


async def test_without_the_lock_somebody_does(
    inventory: Inventory, reservations: Reservations, pool: Pool
) -> None:
    """Negative control: only the constraint keeps the event from being oversold then."""
    with pytest.raises(psycopg.errors.CheckViolation, match="inventory_never_oversold"):
        await _shrink_around_a_booking(inventory, reservations, pool, lock=False)


async def test_a_closing_state_of_another_size_is_no_drift(
    database: Database, inventory: Inventory
) -> None:
    """An event that grew unheard of and was then deleted agrees with its ledger."""
    await inventory.apply(concert(capacity=10))
    await inventory.apply(concert(capacity=20, rev=3, deleted=True))
    with psycopg.connect(database.owner_dsn) as connection:
        sized = connection.execute("""
            SELECT inventory.capacity, ledger.capacity
            FROM bookings.inventory
            JOIN bookings.ledger USING (event_id)
            WHERE ledger.capacity IS NOT NULL
            ORDER BY ledger.rev DESC
            LIMIT 1
        """).fetchone()
    assert sized == (20, 20)


async def test_many_first_states_at_once_make_one_inventory(
    database: Database, inventory: Inventory
) -> None:
    """Pushed and read through at the same moment, an event is opened once."""
    states = [concert(capacity=rev, rev=rev) for rev in range(1, 17)]
    await asyncio.gather(*map(inventory.apply, states))
    assert await left(inventory) == 16
    assert drift(database) == []


def test_a_state_closes_for_good_when_cancelled_or_deleted() -> None:
    """A completed event keeps its bookings."""
    assert EventState(1, 1, "", 1, "CANCELLED").closes
    assert EventState(1, 1, "", 1, "PUBLISHED", deleted=True).closes
    assert not EventState(1, 1, "", 1, "COMPLETED").closes
