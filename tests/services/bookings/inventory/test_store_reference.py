"""Random lives in the real tables, decided by two replicas side by side."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from services.bookings.inventory import Inventory
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.pools import PATIENT, patient_pool
from tests.services.bookings.conftest import (
    PAUSE_SECONDS,
    drift,
    mend_the_lock,
    take_out_the_lock,
)
from tests.services.bookings.inventory.comparison import COMMANDS
from tests.services.bookings.inventory.lives import OFFER_SECONDS, made_up_plans
from tests.services.bookings.inventory.replicas import Replicas
from tests.services.bookings.seating.plans import LoadedPlans

# Without the lock the first difference appears mostly within 1,500 commands.
OVER_A_DATABASE, SEATED = COMMANDS // 10, COMMANDS // 20
NOTICED_WITHIN = 10_000
SEED = 20_300_101


@pytest.fixture
async def pools(database: Database) -> AsyncIterator[list[Pool]]:
    """Opens a pool for each of two replicas."""
    async with AsyncExitStack() as stack:
        opened = [
            patient_pool(database.bookings_dsn, schema="bookings", size=4, session=PATIENT)
            for _ in range(2)
        ]
        yield [await stack.enter_async_context(pool) for pool in opened]


async def test_replicas_decide_as_if_one_by_one(database: Database, pools: list[Pool]) -> None:
    """Two replicas would sell a seat twice, lose an update, or decide a request twice.

    Both replicas use the same idempotency keys, at the same time and again later, so a key could
    also get another response than its first one.
    """
    inventories = [Inventory(pool, offer_seconds=OFFER_SECONDS) for pool in pools]
    await Replicas(database, inventories, SEED).run(OVER_A_DATABASE)
    assert drift(database) == []


async def test_replicas_give_assigned_seats_as_if_one_by_one(
    database: Database, pools: list[Pool]
) -> None:
    """Two replicas would give a seat twice, lose one, or return an outdated response.

    They hold, release, confirm, extend and block seats of the same few events.
    """
    plans = made_up_plans(SEED)
    inventories = [
        Inventory(pool, offer_seconds=OFFER_SECONDS, plans=LoadedPlans(plans)) for pool in pools
    ]
    await Replicas(database, inventories, SEED, plans=plans).run(SEATED)
    assert drift(database) == []


async def test_replicas_without_a_lock_are_noticed(database: Database, pools: list[Pool]) -> None:
    """Negative control: the tests above would pass without the lock."""
    take_out_the_lock(database)
    try:
        inventories = [Inventory(pool, offer_seconds=OFFER_SECONDS) for pool in pools]
        replicas = Replicas(database, inventories, SEED, pause_seconds=PAUSE_SECONDS)
        with pytest.raises(AssertionError):
            await replicas.run(NOTICED_WITHIN)
    finally:
        mend_the_lock()
