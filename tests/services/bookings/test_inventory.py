import asyncio
from typing import Any

import psycopg
import pytest

from services.bookings.access import Viewer
from services.bookings.catalogue.availability import Availability
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound, SoldOut
from services.bookings.inventory import Inventory, Judgement, Verdict
from services.bookings.inventory.commands import Booked, Outcome
from services.bookings.reservations.reading import Bookings
from services.bookings.reservations.reservations import Reservations
from services.kit.auth.authentication import ANONYMOUS
from services.kit.database.postgres import Pool
from services.kit.rpc.paging import parse
from tests.conftest import Database
from tests.services.bookings.asking import seat
from tests.services.bookings.conftest import (
    GATE,
    ScriptedCatalogue,
    concert,
    drift,
    mend_the_lock,
    put_a_gate_behind_the_lock,
    take_out_the_lock,
)
from tests.services.conditions import until_blocked

BELOW = "CAPACITY_BELOW_BOOKED"


async def book(reservations: Reservations, *users: str, event_id: int = 1) -> list[Any]:
    """Reserves a seat for each user in parallel."""
    return await reservations.decide([seat(event_id, user) for user in users])


async def left(inventory: Inventory, event_id: int = 1) -> int:
    """Counts the free seats."""
    counted = (await inventory.count_seats([event_id]))[event_id]
    return counted.capacity - counted.booked


async def test_a_state_that_arrives_twice_is_applied_once(
    database: Database, inventory: Inventory
) -> None:
    """A state that is pushed, followed and read through would be applied more than once."""
    await inventory.apply(concert())
    first = await inventory.apply(concert(capacity=60, rev=2))
    assert await inventory.apply(concert(capacity=60, rev=2)) == first
    assert first == Judgement(Verdict.APPLIED, inventory_rev=2)
    assert drift(database) == []


@pytest.mark.parametrize("closing", [{"deleted": True}, {"status": "CANCELLED"}])
async def test_closing_cancels_every_booking_at_once(
    database: Database,
    inventory: Inventory,
    reservations: Reservations,
    pool: Pool,
    closing: dict[str, Any],
) -> None:
    """Bookings of a closed event would read as live until they are written, or stay so."""
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
    inventory = Inventory(pool)
    availability = Availability(inventory, Catalogue(ScriptedCatalogue().fetch, inventory))
    viewer = Viewer(ANONYMOUS, open_access=True)
    found = await Bookings(pool, availability).list_all(parse(0, "", scope=""), viewer)
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
    """Parallel workers would skip a booking, or take one from a tally twice."""
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
    """A reservation during a deletion would leave a live booking of a deleted event."""
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
    """A shrink during reservations would leave more bookings than seats."""
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
    """Halves the event during reservations, then has buyers ask for all that is left."""
    asked = (book(reservations, f"user-{number}", event_id=event_id) for number in range(6))
    buying = asyncio.gather(*asked)
    judged = await inventory.apply(concert(event_id, capacity=5, rev=2))
    batches = await buying
    rest = await book(reservations, *(f"late-{n}" for n in range(10)), event_id=event_id)
    return [outcome for batch in batches for outcome in batch] + rest, judged


async def shrink_before_a_booking(pool: Pool, database: Database) -> list[Outcome]:
    """Shrinks to one seat, and books two elsewhere before that is saved; returns the bookings."""
    await Inventory(pool).apply(concert(capacity=2))
    put_a_gate_behind_the_lock(database)
    async with await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as gate:
        await gate.execute("SELECT pg_advisory_lock(%s)", [GATE])
        shrinking = asyncio.create_task(Inventory(pool).apply(concert(capacity=1, rev=2)))
        await until_blocked(gate, 1)
        asked = [seat(1, "ada"), seat(1, "bob")]
        buying = asyncio.create_task(Inventory(pool).decide(asked))
        await until_blocked(gate, 2)
        await gate.execute("SELECT pg_advisory_unlock(%s)", [GATE])
        await shrinking
        return await buying


async def test_nobody_books_between_the_judging_of_a_shrink_and_its_writing(
    database: Database, inventory: Inventory, pool: Pool
) -> None:
    """A seat would be booked between the decision on a shrink and its COMMIT."""
    outcomes = await shrink_before_a_booking(pool, database)
    assert [type(outcome) for outcome in outcomes] == [Booked, SoldOut]
    assert await left(inventory) == 0
    assert drift(database) == []


async def test_without_the_lock_somebody_does(
    database: Database, inventory: Inventory, pool: Pool
) -> None:
    """Negative control: the test above would pass without the lock."""
    take_out_the_lock(database)
    try:
        outcomes = await shrink_before_a_booking(pool, database)
    finally:
        mend_the_lock()
    assert [type(outcome) for outcome in outcomes] == [Booked, Booked]
    assert await left(inventory) == -1


async def test_a_closing_state_of_another_size_is_no_drift(
    database: Database, inventory: Inventory
) -> None:
    """An event that was resized by its closing state would differ from its ledger."""
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
    """A first state that is pushed and read through at once would fail or open the event twice."""
    states = [concert(capacity=rev, rev=rev) for rev in range(1, 17)]
    await asyncio.gather(*map(inventory.apply, states))
    assert await left(inventory) == 16
    assert drift(database) == []
