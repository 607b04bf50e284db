"""Three sessions over one database, and the stage on which they meet."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from services.bookings.inventory import store
from tests.conftest import Database
from tests.faults.interleaving import Interleavings, Session, SteppedConnection, SteppedCursor
from tests.faults.line import Line
from tests.faults.stage import Stage
from tests.pools import patient_pool
from tests.services.bookings.conftest import drift, mend_the_lock, take_out_the_lock

SCHEMAS = ("events", "bookings")
SECOND_LINE = (
    "inventory_sold_not_negative",
    "inventory_held_not_negative",
    "inventory_live_bookings_not_negative",
    "inventory_waiting_not_negative",
)


@pytest.fixture
async def interleavings(database: Database) -> AsyncIterator[Interleavings]:
    """Gives three sessions to interleave."""
    async with contextlib.AsyncExitStack() as stack:
        dsns = {"events": database.events_dsn, "bookings": database.bookings_dsn}

        async def connect(schema: str) -> SteppedConnection:
            connection = await SteppedConnection.connect(
                dsns[schema],
                autocommit=True,
                options=f"-c search_path={schema} -c timezone=UTC",
                cursor_factory=SteppedCursor,
            )
            connection.by_pipeline = schema == "bookings"
            return await stack.enter_async_context(connection)

        monitor = await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True)
        await stack.enter_async_context(monitor)
        yield Interleavings(
            monitor,
            [Session({schema: await connect(schema) for schema in SCHEMAS}) for _ in range(3)],
        )


@pytest.fixture
def owner(database: Database) -> Any:
    """Gives a connection that may do everything."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute("SET search_path TO bookings")
        yield connection


@pytest.fixture(autouse=True)
def waiting_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets sessions wait for locked events at once, which leaves fewer orders to be tried."""
    monkeypatch.setattr(store, "SKIP_LOCKED", store.WAIT)


@pytest.fixture
def unlocked(
    owner: psycopg.Connection[Any], database: Database, waiting_at_once: None
) -> Iterator[Database]:
    """Breaks the core as somebody might: no lock, and nothing else that would catch it."""
    take_out_the_lock(database)
    for constraint in SECOND_LINE:
        owner.execute(f"ALTER TABLE inventory DROP CONSTRAINT {constraint}")
    owner.execute("DROP INDEX bookings_one_per_user, waiting_list_one_per_user")
    yield database
    mend_the_lock()


@pytest.fixture
async def broken_stage(owner: psycopg.Connection[Any], database: Database) -> AsyncIterator[Stage]:
    """Gives a stage on which things may go wrong."""
    async with patient_pool(database.bookings_dsn, schema="bookings", size=2) as pool:
        yield Stage(owner, pool)


@pytest.fixture
async def stage(broken_stage: Stage, database: Database) -> AsyncIterator[Stage]:
    """Gives a stage; in the end all that was ever on it counts right."""
    yield broken_stage
    assert drift(database) == []
    assert broken_stage.orders > 1


@pytest.fixture
async def line(
    stage: Stage, owner: psycopg.Connection[Any], database: Database
) -> AsyncIterator[Line]:
    """Gives lines on a stage; in the end all counts right."""
    async with patient_pool(database.bookings_dsn, schema="bookings", size=2) as pool:
        yield Line(stage, owner, pool, database)


@pytest.fixture
async def broken_line(
    broken_stage: Stage, owner: psycopg.Connection[Any], database: Database
) -> AsyncIterator[Line]:
    """Gives lines on a stage on which things may go wrong."""
    async with patient_pool(database.bookings_dsn, schema="bookings", size=2) as pool:
        yield Line(broken_stage, owner, pool, database)
