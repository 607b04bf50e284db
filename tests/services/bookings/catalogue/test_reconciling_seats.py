import pytest

from services.bookings.catalogue.following import Follower
from services.bookings.catalogue.reconciling import Reconciler
from services.bookings.inventory import Inventory
from services.bookings.inventory.commands import Apply
from services.bookings.inventory.seat_commands import BlockSeats, IssueTicket, Seated
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Internal
from tests.conftest import Database
from tests.services.bookings.inventory.payments import PRICE, give_back, number_of, paid, start
from tests.services.bookings.inventory.screening import (
    as_owner,
    ask,
    hold,
    plans_of,
    room,
    screening,
)
from tests.services.bookings.scripted_feed import ScriptedFeed

HALL = room()


@pytest.fixture
def inventory(pool: Pool) -> Inventory:
    """Returns an inventory that has the plan of a room."""
    return Inventory(pool, plans=plans_of(HALL))


@pytest.fixture
def feed() -> ScriptedFeed:
    """Returns a catalogue without events."""
    return ScriptedFeed()


@pytest.fixture
def reconciler(pool: Pool, inventory: Inventory, feed: ScriptedFeed) -> Reconciler:
    """Returns the reconciler of the scripted feed."""
    return Reconciler(pool, inventory, Follower(pool, feed, inventory), feed)


async def _sell(inventory: Inventory) -> None:
    """Sells a seat, holds two, blocks one, and releases another."""
    _, sold, *_ = await ask(
        inventory, Apply(screening(HALL)), hold("ada", 1), hold("bob", 2, 3), BlockSeats(1, (4,))
    )
    assert isinstance(sold, Seated)
    [other] = await ask(inventory, hold("cy", 5))
    assert isinstance(other, Seated)
    await ask(inventory, IssueTicket(1, sold.booking.id))


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE seat_claims SET booking_id = NULL WHERE seat_id = 2",
        "UPDATE seat_claims SET booking_id = 999 WHERE seat_id = 2",
        "INSERT INTO seat_claims VALUES (1, 9, 999)",
        "UPDATE seat_blocks SET taken = set_bit(taken, 8, 1), taken_count = taken_count + 1",
        "UPDATE seat_blocks SET taken = set_bit(set_bit(taken, 1, 0), 8, 1)",
        "UPDATE seat_blocks SET taken = set_bit(taken, 1, 0), taken_count = taken_count - 1",
        "UPDATE seat_blocks SET sold = set_bit(sold, 1, 1)",
        "UPDATE seat_blocks SET sold = set_bit(sold, 0, 0)",
        "UPDATE seat_blocks SET blocked = set_bit(blocked, 3, 0)",
        "DELETE FROM seat_blocks",
        "UPDATE bookings SET seat_ids = '{2, 9}' WHERE user_id = 'bob'",
        "UPDATE ledger SET seat_ids = '{2, 9}' WHERE user_id = 'bob'",
        "UPDATE ledger SET seat_ids = '{9}' WHERE kind = 'BLOCKED'",
        "UPDATE ledger SET seat_ids = NULL WHERE user_id = 'bob'",
        "UPDATE inventory SET blocked = 0",
        "UPDATE inventory SET sold = sold + 1, held = held - 1",
    ],
)
async def test_seats_that_disagree_stop_the_sale(
    reconciler: Reconciler, inventory: Inventory, database: Database, tampering: str
) -> None:
    """Seats would be sold although claims, map, bookings, counters and ledger disagree."""
    await _sell(inventory)
    await reconciler.reconcile()
    assert _frozen_events(database) == []
    as_owner(database, tampering)
    as_owner(database, "DELETE FROM audits")
    await reconciler.reconcile()
    assert _frozen_events(database) == [(1,)]


async def test_an_event_that_contradicts_itself_is_audited_though_nothing_has_changed(
    reconciler: Reconciler, inventory: Inventory, database: Database
) -> None:
    """A contradiction would stay unnoticed: the failed hold has changed no revision."""
    await _sell(inventory)
    await reconciler.reconcile()
    as_owner(database, "INSERT INTO seat_claims VALUES (1, 9, 999)")
    await reconciler.reconcile()
    assert _frozen_events(database) == []
    [failed] = await ask(inventory, hold("eve", 9))
    assert isinstance(failed, Internal)
    await reconciler.reconcile()
    assert _frozen_events(database) == [(1,)]


async def test_an_event_that_lacks_its_room_stops_the_sale(
    pool: Pool,
    reconciler: Reconciler,
    inventory: Inventory,
    feed: ScriptedFeed,
    database: Database,
) -> None:
    """A screening that the former release opened, without its seats, would sell none of them."""
    feed.publish(screening(HALL))
    feed.publish(screening(HALL, 2))
    feed.publish(screening(HALL, 2, rev=2, status="CANCELLED", plan_id=None))
    await Follower(pool, feed, inventory).follow()
    as_owner(database, "UPDATE inventory SET plan_id = NULL WHERE event_id = 1")
    await reconciler.reconcile()
    frozen = as_owner(database, "SELECT event_id, frozen FROM inventory WHERE frozen <> ''")
    assert frozen == [(1, "CATALOGUE")]


def _frozen_events(database: Database) -> list[tuple[object, ...]]:
    return as_owner(database, "SELECT event_id FROM inventory WHERE frozen = 'COUNTERS'")


@pytest.mark.parametrize(
    ("tampering", "agrees"),
    [
        ("UPDATE refunds SET reason = 'PAID_TWICE'", True),
        ("UPDATE refunds SET amount_minor = 399", False),
        ("UPDATE refunds SET status = 'REFUNDED', refunded_at = now()", False),
        ("DELETE FROM refunds", False),
    ],
)
async def test_refunds_that_disagree_with_their_payment_stop_the_sale(
    reconciler: Reconciler, inventory: Inventory, database: Database, tampering: str, agrees: bool
) -> None:
    """Money that was lost or given back twice by hand would be seen by nobody."""
    _, held = await ask(inventory, Apply(screening(HALL, **PRICE)), hold("ada", 1))
    booking = number_of(held)
    await ask(inventory, start(booking), paid(booking), give_back(booking, minor=400))
    as_owner(database, tampering)
    await reconciler.reconcile()
    frozen = as_owner(database, "SELECT frozen FROM inventory")
    assert frozen == [("" if agrees else "COUNTERS",)]
