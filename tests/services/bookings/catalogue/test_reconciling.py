import asyncio
from dataclasses import replace

import psycopg
import pytest
from prometheus_client import REGISTRY
from psycopg.rows import TupleRow

from services.bookings.catalogue.following import Follower
from services.bookings.catalogue.reconciling import Reconciler
from services.bookings.errors import EventNotBookable
from services.bookings.inventory import Inventory
from services.bookings.inventory.commands import Booked
from services.bookings.reservations.cancellations import Cancellations
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Unavailable
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert, drift
from tests.services.bookings.scripted_feed import ScriptedFeed


@pytest.fixture
def feed() -> ScriptedFeed:
    """Returns a catalogue without events."""
    return ScriptedFeed()


@pytest.fixture
def follower(pool: Pool, feed: ScriptedFeed, inventory: Inventory) -> Follower:
    """Returns the follower of the scripted feed."""
    return Follower(pool, feed, inventory)


@pytest.fixture
def reconciler(
    pool: Pool, inventory: Inventory, follower: Follower, feed: ScriptedFeed
) -> Reconciler:
    """Returns the reconciler of the scripted feed."""
    return Reconciler(pool, inventory, follower, feed)


def as_owner(database: Database, statement: str) -> list[TupleRow]:
    """Runs a statement as the owner of the schema; returns the rows, if there are any."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=bookings") as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def frozen(database: Database) -> dict[int, str]:
    """Reads why events are frozen."""
    return dict(as_owner(database, "SELECT event_id, frozen FROM inventory WHERE frozen <> ''"))


def drifting(kind: str) -> float | None:
    """Reads the metric of drifting events."""
    return REGISTRY.get_sample_value("boxoffice_drift", {"kind": kind})


async def test_a_change_that_has_not_arrived_is_applied(
    reconciler: Reconciler, follower: Follower, feed: ScriptedFeed, database: Database
) -> None:
    """A state that the feed never sent would stay unknown."""
    feed.publish(concert(1))
    await follower.follow()
    feed.publish(concert(1, capacity=60, rev=2))
    feed.publish(concert(2))
    await reconciler.reconcile()
    stock = as_owner(database, "SELECT event_id, capacity FROM inventory ORDER BY event_id")
    assert stock == [(1, 60), (2, 50)]
    assert (drifting("catalogue"), drifting("counters")) == (0, 0)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE inventory SET sold = sold - 1",
        "UPDATE inventory SET live_bookings = live_bookings + 1",
        "UPDATE inventory SET rev = rev + 1",
        "UPDATE inventory SET capacity = capacity + 1",
        "UPDATE bookings SET status = 'CANCELLED', cancelled_at = now() WHERE user_id = 'ada'",
        "DELETE FROM bookings WHERE user_id = 'ada'",
        "DELETE FROM ledger WHERE user_id = 'ada'",
    ],
)
async def test_wrong_counters_stop_the_sale_and_stay(
    reconciler: Reconciler,
    inventory: Inventory,
    reservations: Reservations,
    database: Database,
    tampering: str,
) -> None:
    """An event with wrong counters would keep selling, or be corrected without an operator."""
    for number in (1, 2):
        await inventory.apply(concert(number, rev=1))
    await reservations.decide([seat(1, "ada"), seat(1, "bob")])
    await reconciler.reconcile()
    assert frozen(database) == {}
    as_owner(database, tampering + _only_the_first(tampering))
    # Only changed events are audited again, so change the event.
    as_owner(database, "DELETE FROM audits")
    before = as_owner(database, _COUNTERS)
    await reconciler.reconcile()
    await reconciler.reconcile()
    assert frozen(database) == {1: "COUNTERS"}
    assert as_owner(database, _COUNTERS) == before
    assert drifting("counters") == 1
    [outcome, other] = await reservations.decide([seat(1, "eve"), seat(2, "eve")])
    assert isinstance(outcome, EventNotBookable)
    assert isinstance(other, Booked)
    await inventory.apply(concert(1, rev=2))
    assert frozen(database) == {1: "COUNTERS"}


_COUNTERS = "SELECT capacity, sold, held, live_bookings, rev FROM inventory ORDER BY event_id"


def _only_the_first(tampering: str) -> str:
    return "" if "WHERE" in tampering else " WHERE event_id = 1"


async def test_an_event_that_differs_from_the_catalogue_is_not_sold(
    reconciler: Reconciler,
    follower: Follower,
    feed: ScriptedFeed,
    inventory: Inventory,
    database: Database,
) -> None:
    """An event would keep selling whose state differs from the catalogue's same revision."""
    for number in (1, 2):
        feed.publish(concert(number))
    await follower.follow()
    feed.changes[0] = replace(feed.changes[0], capacity=51)
    await reconciler.reconcile()
    assert frozen(database) == {1: "CATALOGUE"}
    assert drifting("catalogue") == 1
    await inventory.apply(feed.publish(concert(1, capacity=51, rev=2)))
    assert frozen(database) == {}
    await reconciler.reconcile()
    assert drifting("catalogue") == 0


async def test_an_event_that_was_stated_anew_meanwhile_is_left_alone(
    reconciler: Reconciler, inventory: Inventory, feed: ScriptedFeed, database: Database
) -> None:
    """An event would be frozen although a newer state has arrived since the comparison."""
    state = feed.publish(concert(1))
    await inventory.apply(state)
    await inventory.apply(feed.publish(concert(1, rev=2)))
    await reconciler._freeze(1, "CATALOGUE", state)
    assert frozen(database) == {}


async def test_wrong_counters_outweigh_the_catalogue(
    reconciler: Reconciler,
    follower: Follower,
    feed: ScriptedFeed,
    inventory: Inventory,
    database: Database,
) -> None:
    """A new state would start the sale of an event whose counters are wrong."""
    feed.publish(concert(1))
    await follower.follow()
    as_owner(database, "UPDATE inventory SET sold = 1, frozen = 'CATALOGUE'")
    await reconciler.reconcile()
    await inventory.apply(feed.publish(concert(1, rev=2)))
    assert frozen(database) == {1: "COUNTERS"}


async def test_an_unchanged_event_is_not_counted_again(
    reconciler: Reconciler, inventory: Inventory, reservations: Reservations
) -> None:
    """Each pass would count the bookings of all events again."""
    for number in range(1, 6):
        await inventory.apply(concert(number))
    assert [audit.event_id for audit in await reconciler._audit_chunk(0)] == [1, 2, 3, 4, 5]
    await reservations.decide([seat(3, "ada")])
    assert [audit.event_id for audit in await reconciler._audit_chunk(0)] == [3]
    assert await reconciler._audit_chunk(0) == []


async def test_counters_are_audited_while_the_catalogue_is_away(
    reconciler: Reconciler, inventory: Inventory, feed: ScriptedFeed, database: Database
) -> None:
    """Wrong counters would stay unnoticed while events is down."""
    await inventory.apply(concert(1))
    as_owner(database, "UPDATE inventory SET sold = 1")
    feed.trouble_with_states = Unavailable()
    await reconciler.reconcile()
    assert frozen(database) == {1: "COUNTERS"}


async def test_a_restored_catalogue_is_not_compared_before_it_is_listed(
    reconciler: Reconciler, follower: Follower, feed: ScriptedFeed, database: Database
) -> None:
    """Events would be frozen because revisions of two epochs were compared."""
    feed.publish(concert(1, rev=2))
    await follower.follow()
    feed.restore("second", concert(1, capacity=70, rev=2))
    await reconciler.reconcile()
    assert frozen(database) == {}
    assert as_owner(database, "SELECT capacity FROM inventory") == [(50,)]


async def test_a_busy_event_raises_no_alarm(
    pool: Pool,
    inventory: Inventory,
    reconciler: Reconciler,
    follower: Follower,
    feed: ScriptedFeed,
    reservations: Reservations,
    database: Database,
) -> None:
    """An event would be frozen because bookings, cancellations or resizes ran during its audit."""
    cancellations = Cancellations(pool, inventory)
    feed.publish(concert(1, capacity=500))
    await follower.follow()
    busy = True

    async def buy(buyer: int) -> None:
        for number in range(40):
            [made] = await booked(reservations, [seat(1, f"{buyer}-{number}")])
            if number % 3 == 0:
                await cancellations.cancel(made.id)

    async def organize() -> None:
        rev = 1
        while busy:
            rev += 1
            feed.publish(concert(1, capacity=500 + rev, rev=rev))
            await follower.follow()

    async def compare() -> int:
        passes = 0
        while busy:
            await reconciler.reconcile()
            passes += 1
            assert frozen(database) == {}
        return passes

    others = asyncio.gather(organize(), compare())
    await asyncio.gather(*(buy(buyer) for buyer in range(3)))
    busy = False
    _, passes = await others
    assert passes > 3
    await reconciler.reconcile()
    assert (drifting("catalogue"), drifting("counters")) == (0, 0)
    assert drift(database) == []
