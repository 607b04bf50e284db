import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace

import psycopg
import pytest

from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import AlreadyBooked, EventNotFound
from services.bookings.inventory import Ask, EventState, Inventory, store
from services.bookings.inventory.commands import Booked, Command
from services.bookings.inventory.store import Loaded
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from services.kit.database.round_trip import RoundTrip, Statement
from services.kit.rpc.errors import (
    Busy,
    Internal,
    Unavailable,
)
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat, summaries
from tests.services.bookings.conftest import (
    ScriptedCatalogue,
    concert,
    drift,
    mend_the_lock,
    take_out_the_lock,
    take_out_the_second_line,
)
from tests.services.bookings.rush import REPLICAS, buyers, kinds, replicas, rush

ROUNDS = 10


async def test_an_unknown_event_is_learned_of_and_its_absence_is_not(
    scripted: ScriptedCatalogue, reservations: Reservations
) -> None:
    """A new event could not be booked, or not after a request that came before it existed."""
    [outcome] = await reservations.decide([seat(7, "ada")])
    assert isinstance(outcome, EventNotFound)
    scripted.states[7] = concert(7)
    await booked(reservations, [seat(7, "ada")])


async def test_known_events_are_sold_while_the_catalogue_is_away(
    inventory: Inventory, scripted: ScriptedCatalogue, reservations: Reservations
) -> None:
    """While events is down, known events would not be sold, or unknown ones be called missing."""
    await inventory.apply(concert())
    scripted.refusal = Unavailable()
    known, unknown = await reservations.decide([seat(1, "ada"), seat(2, "ada")])
    assert isinstance(known, Booked)
    assert isinstance(unknown, Unavailable)


@pytest.mark.parametrize("count", [1, REPLICAS])
async def test_200_buyers_of_50_seats_get_exactly_50(
    database: Database, pool: Pool, inventory: Inventory, catalogue: Catalogue, count: int
) -> None:
    """A seat would be sold twice or left over, or counters, rows and ledger disagree."""
    await inventory.apply(concert())
    outcomes = await rush(replicas(pool, catalogue, count), buyers(200))
    assert kinds(outcomes) == {"Booked": 50, "SoldOut": 150}
    assert drift(database) == []


async def test_without_the_lock_the_rush_oversells(
    database: Database, pool: Pool, scripted: ScriptedCatalogue
) -> None:
    """Negative control: the test above would pass without the lock."""
    take_out_the_lock(database)
    try:
        inventory = Inventory(pool)
        offices = replicas(pool, Catalogue(scripted.fetch, inventory))
        for event_id in range(1, ROUNDS + 1):
            await inventory.apply(concert(event_id))
            outcomes = await rush(offices, buyers(200, event_id))
            if kinds(outcomes)["Booked"] > 50:
                return
    finally:
        mend_the_lock()
    pytest.fail("nothing was oversold")


async def test_bookings_that_are_loaded_before_the_lock_oversell(
    database: Database,
    pool: Pool,
    inventory: Inventory,
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: the test above would pass if rows were loaded before the lock."""
    load, both_have_loaded = store.load, asyncio.Barrier(2)

    async def load_early(
        trip: RoundTrip, commands: Sequence[Command], *, lock: Statement
    ) -> Loaded:
        assert lock == store.SKIP_LOCKED
        early = await load(trip, commands, lock=store.NO_LOCK)
        await both_have_loaded.wait()
        late = RoundTrip(trip.connection)
        late.command(b"BEGIN")
        return replace(await load(late, commands, lock=store.WAIT), stocks=early.stocks)

    await inventory.apply(concert(capacity=50))
    take_out_the_second_line(database)
    monkeypatch.setattr(store, "load", load_early)
    one, other = replicas(pool, catalogue, 2)
    await asyncio.gather(
        booked(one, buyers(50)), booked(other, [seat(1, f"other-{n}") for n in range(50)])
    )


async def test_one_of_many_equal_users_is_booked(
    database: Database, pool: Pool, inventory: Inventory, catalogue: Catalogue
) -> None:
    """A user who sends parallel requests would get several seats."""
    await inventory.apply(concert())
    outcomes = await rush(replicas(pool, catalogue), [seat(1, "ada")] * 64)
    assert kinds(outcomes) == {"Booked": 1, "AlreadyBooked": 63}
    assert drift(database) == []


async def test_batches_in_opposite_order_do_not_deadlock(
    database: Database, pool: Pool, inventory: Inventory, catalogue: Catalogue
) -> None:
    """Two batches with the same events in opposite order would deadlock."""
    for event_id in (1, 2, 3):
        await inventory.apply(concert(event_id, capacity=1_000))
    offices = replicas(pool, catalogue)

    def batch(number: int, order: Sequence[int]) -> list[Ask]:
        return [seat(event_id, f"user-{number}") for event_id in order]

    asked = (
        offices[number % REPLICAS].decide(batch(number, (1, 2, 3) if number % 2 else (3, 2, 1)))
        for number in range(100)
    )
    outcomes = [outcome for batch in await asyncio.gather(*asked) for outcome in batch]
    assert kinds(outcomes) == {"Booked": 300}
    assert drift(database) == []


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (psycopg.OperationalError("server closed the connection"), Unavailable),
        (ValueError("a state that cannot be read"), Internal),
    ],
)
async def test_a_booking_is_answered_though_the_rest_of_its_batch_fails(
    inventory: Inventory, failure: Exception, outcome: type[Exception]
) -> None:
    """A committed booking would be reported as failed, because another event is unknown."""

    async def fail(event: int | str) -> EventState:
        raise failure

    await inventory.apply(concert())
    office = Reservations(inventory, Catalogue(fail, inventory))
    made, lost = await office.decide([seat(1, "ada"), seat(2, "ada")])
    assert isinstance(made, Booked)
    assert isinstance(lost, outcome)


async def test_a_locked_event_keeps_nobody_else_waiting(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """A batch would wait for a locked event, or book the free event twice."""
    await inventory.apply(concert(1))
    await inventory.apply(concert(2))
    batch = [seat(1, "ada", key="k"), seat(2, "ada"), seat(1, "bob")]
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT FROM bookings.inventory WHERE event_id = 1 FOR UPDATE")
        outcomes = await reservations.decide(batch, skip_busy=True)
    assert list(map(type, outcomes)) == [Busy, Booked, Busy]
    later = await reservations.decide(batch)
    assert list(map(type, later)) == [Booked, AlreadyBooked, Booked]
    assert drift(database) == []


async def test_a_poisoned_item_fails_alone(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """A value that the database rejects would fail the whole batch."""
    await inventory.apply(concert(capacity=100))
    batch = buyers(63)
    batch.insert(40, seat(1, "a\0b"))
    outcomes = await reservations.decide(batch)
    assert kinds(outcomes) == {"Booked": 63, "Internal": 1}
    assert isinstance(outcomes[40], Internal)
    assert drift(database) == []


async def test_a_full_event_refuses_without_its_lock_and_without_writing(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """A rush on a full event would queue for its lock, and use up transaction ids."""
    await inventory.apply(concert(capacity=1))
    await reservations.decide([seat(1, "ada"), seat(1, "eve")])
    count = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT FROM bookings.inventory WHERE event_id = 1 FOR UPDATE")
        before = await (await other.execute(count)).fetchone()
        outcomes = await reservations.decide([seat(1, "bob"), seat(1, "ada")])
        after = await (await other.execute(count)).fetchone()
    assert summaries(outcomes) == ["SOLD_OUT", "ALREADY_BOOKED"]
    assert {getattr(one, "metadata", {})["inventory_revision"] for one in outcomes} == {"2"}
    assert before == after


async def test_references_are_random_uuids(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Guessing the next reference would allow cancelling the booking of a guest."""
    await inventory.apply(concert(capacity=100))
    await booked(reservations, buyers(100))
    with psycopg.connect(database.owner_dsn) as connection:
        made = connection.execute("SELECT reference FROM bookings.bookings").fetchall()
    references = {reference for (reference,) in made}
    assert len(references) == 100
    assert {(each.version, each.variant) for each in references} == {(4, uuid.RFC_4122)}
