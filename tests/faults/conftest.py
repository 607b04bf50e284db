"""Three sessions over one database, and the events that they work on."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from services.bookings.inventory import store
from tests.conftest import Database
from tests.faults.events_fixture import EventsFixture
from tests.faults.interleaving import Interleavings, Session, SteppedConnection, SteppedCursor
from tests.faults.waiting_list_fixture import WaitingListFixture
from tests.pools import patient_pool
from tests.services.bookings.conftest import drift, mend_the_lock, take_out_the_lock

SCHEMAS = ("events", "bookings")
CHECKS_BESIDE_THE_LOCK = (
    "inventory_sold_not_negative",
    "inventory_held_not_negative",
    "inventory_live_bookings_not_negative",
    "inventory_waiting_not_negative",
)


@pytest.fixture
async def interleavings(database: Database) -> AsyncIterator[Interleavings]:
    """Returns three sessions to interleave."""
    async with contextlib.AsyncExitStack() as stack:
        dsns = {"events": database.events_dsn, "bookings": database.bookings_dsn}

        async def connect(schema: str) -> SteppedConnection:
            connection = await SteppedConnection.connect(
                dsns[schema],
                autocommit=True,
                options=f"-c search_path={schema} -c timezone=UTC",
                cursor_factory=SteppedCursor,
            )
            connection.by_round_trip = schema == "bookings"
            return await stack.enter_async_context(connection)

        monitor = await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True)
        await stack.enter_async_context(monitor)
        yield Interleavings(
            monitor,
            [Session({schema: await connect(schema) for schema in SCHEMAS}) for _ in range(3)],
        )


@pytest.fixture
def owner(database: Database) -> Any:
    """Returns a connection with the rights of the owner."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute("SET search_path TO bookings")
        yield connection


@pytest.fixture(autouse=True)
def waiting_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes sessions wait for locked events instead of skipping them: fewer orders to try."""
    monkeypatch.setattr(store, "SKIP_LOCKED", store.WAIT)


@pytest.fixture
def unlocked(
    owner: psycopg.Connection[Any], database: Database, waiting_at_once: None
) -> Iterator[Database]:
    """Removes the lock, and the constraints that would catch what the lock prevents."""
    take_out_the_lock(database)
    for constraint in CHECKS_BESIDE_THE_LOCK:
        owner.execute(f"ALTER TABLE inventory DROP CONSTRAINT {constraint}")
    owner.execute("DROP INDEX bookings_one_per_user, waiting_list_one_per_user")
    yield database
    mend_the_lock()


@pytest.fixture
async def events(
    owner: psycopg.Connection[Any], database: Database, request: pytest.FixtureRequest
) -> AsyncIterator[EventsFixture]:
    """Creates events; at the end all counts are right, unless the test runs without the lock."""
    async with patient_pool(database.bookings_dsn, schema="bookings", size=2) as pool:
        yield EventsFixture(owner, pool)
    if "unlocked" not in request.fixturenames:
        assert drift(database) == []


@pytest.fixture
async def waiting_list(
    events: EventsFixture, owner: psycopg.Connection[Any], database: Database
) -> AsyncIterator[WaitingListFixture]:
    """Creates events with users who wait, and checks them as `events` does."""
    async with patient_pool(database.bookings_dsn, schema="bookings", size=2) as pool:
        yield WaitingListFixture(events, owner, pool, database)
