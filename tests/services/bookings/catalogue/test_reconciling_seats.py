import pytest

from services.bookings.catalogue.following import Follower
from services.bookings.catalogue.reconciling import Reconciler
from services.bookings.inventory import Inventory
from services.bookings.inventory.commands import Apply
from services.bookings.inventory.seat_commands import BlockSeats, Confirm, Seated
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Internal
from tests.conftest import Database
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
def reconciler(pool: Pool, inventory: Inventory) -> Reconciler:
    """Returns a reconciler over an empty catalogue."""
    feed = ScriptedFeed()
    return Reconciler(pool, inventory, Follower(pool, feed, inventory), feed)


async def _sell(inventory: Inventory) -> None:
    """Sells a seat, holds two, blocks one, and releases another."""
    _, sold, *_ = await ask(
        inventory, Apply(screening(HALL)), hold("ada", 1), hold("bob", 2, 3), BlockSeats(1, (4,))
    )
    assert isinstance(sold, Seated)
    [other] = await ask(inventory, hold("cy", 5))
    assert isinstance(other, Seated)
    await ask(inventory, Confirm(1, sold.booking.id))


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


def _frozen_events(database: Database) -> list[tuple[object, ...]]:
    return as_owner(database, "SELECT event_id FROM inventory WHERE frozen = 'COUNTERS'")
