"""Fixtures of bookings: a database of its own and a scripted catalogue."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound
from services.bookings.inventory import EventState, Inventory, store
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from services.kit.database.round_trip import prepared
from services.kit.rpc.errors import Refusal
from tests import citus
from tests.conftest import Database
from tests.pools import PATIENT, patient_pool

GATE = 1
POOL_SIZE = 8
# A pause between a load and its save, to widen the window of a race.
PAUSE_SECONDS = 0.005
if citus.URL and Inventory.__init__.__kwdefaults__:
    # Tests make inventories in many places, and none knows where the database lies.
    Inventory.__init__.__kwdefaults__["distributed"] = True


def concert(event_id: int = 1, capacity: int = 50, **changes: Any) -> EventState:
    """Makes the state of an event on sale, with the given changes."""
    values: dict[str, Any] = {"rev": 1, "name": "Concert", "status": "PUBLISHED"} | changes
    return EventState(event_id=event_id, capacity=capacity, **values)


@dataclass
class ScriptedCatalogue:
    """Returns scripted states by number and by key, or one refusal for all."""

    states: dict[int, EventState] = field(default_factory=dict)
    refusal: Refusal | None = None
    fetched: list[int | str] = field(default_factory=list)

    async def fetch(self, event: int | str) -> EventState:
        """Returns the scripted state; raises EventNotFound if there is none."""
        self.fetched.append(event)
        if self.refusal:
            raise self.refusal
        for state in self.states.values():
            if event in {state.event_id, state.key}:
                return state
        raise EventNotFound


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """Opens a pool with the role of the service."""
    # The nodes of a cluster may share the processors of the tests.
    session = PATIENT if citus.URL else {}
    async with patient_pool(
        database.bookings_dsn, schema="bookings", size=POOL_SIZE, session=session
    ) as opened:
        yield opened


@pytest.fixture
def scripted() -> ScriptedCatalogue:
    """Returns a catalogue without events."""
    return ScriptedCatalogue()


@pytest.fixture
def inventory(pool: Pool) -> Inventory:
    """Returns the inventory."""
    return Inventory(pool)


@pytest.fixture
def catalogue(scripted: ScriptedCatalogue, inventory: Inventory) -> Catalogue:
    """Returns the read-through to the scripted catalogue."""
    return Catalogue(scripted.fetch, inventory)


@pytest.fixture
def reservations(inventory: Inventory, catalogue: Catalogue) -> Reservations:
    """Returns reservations over the real inventory."""
    return Reservations(inventory, catalogue)


def take_out_the_lock(database: Database) -> None:
    """Removes the lock and the constraints that would stop a batch without it.

    It does so for inventories that are made from now on in this process. See `mend_the_lock`.
    """
    store.WAIT = store.SKIP_LOCKED = prepared("unlocked", store.SQL["events"])
    take_out_the_second_line(database)


def mend_the_lock() -> None:
    """Restores the lock statements of this process."""
    store.WAIT, store.SKIP_LOCKED = _WAIT, SKIP_LOCKED


def take_out_the_second_line(database: Database) -> None:
    """Drops the constraints that would stop a batch without a lock, and slows decisions down."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        connection.execute("ALTER TABLE inventory DROP CONSTRAINT inventory_never_oversold")
        connection.execute("ALTER TABLE ledger DROP CONSTRAINT ledger_pk")
    make_decisions_wait(database, f"pg_sleep({PAUSE_SECONDS})")


def put_a_gate_behind_the_lock(database: Database) -> None:
    """Makes every batch wait for advisory lock GATE after it has locked its events."""
    make_decisions_wait(database, f"pg_advisory_xact_lock_shared({GATE})")


def make_decisions_wait(database: Database, wait: str) -> None:
    """Runs a statement whenever a batch reads the time, which it does under its lock."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        connection.execute(f"""
            CREATE OR REPLACE FUNCTION present() RETURNS timestamptz LANGUAGE plpgsql VOLATILE
            AS $$
            BEGIN
                PERFORM {wait};
                RETURN clock_timestamp();
            END;
            $$
        """)


_WAIT, SKIP_LOCKED = store.WAIT, store.SKIP_LOCKED


def clock_forward(database: Database, *, seconds: float) -> None:
    """Puts the clock of the database forward, by which holds end."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        connection.execute(f"""
            CREATE OR REPLACE FUNCTION present() RETURNS timestamptz LANGUAGE sql VOLATILE
            AS $$ SELECT clock_timestamp() + interval '{seconds} seconds' $$
        """)


def earlier(column: str, interval: str) -> str:
    """Returns an expression for the time in a column minus an interval, as "5 minutes".

    Citus lets an UPDATE calculate with times of rows only where no time zone matters.
    """
    return f"({column} AT TIME ZONE 'UTC' - interval '{interval}') AT TIME ZONE 'UTC'"


def drift(database: Database) -> list[tuple[object, ...]]:
    """Lists the events whose counters, live rows and ledger disagree."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        seated = connection.execute("SELECT event_id FROM inventory WHERE plan_id IS NOT NULL")
        wrong = connection.execute(
            "SELECT * FROM unnest(%s::bigint[]) AS event_id WHERE NOT seats_agree(event_id)",
            [[event_id for (event_id,) in seated.fetchall()]],
        ).fetchall()
        return (
            wrong
            + connection.execute("""
            SELECT
                event_id, sold, held, waiting, line.entries, live_bookings, rows.seats,
                rows.bookings, entries.seats
            FROM inventory
            CROSS JOIN LATERAL (
                SELECT coalesce(sum(seat_count), 0) AS seats, count(*) AS bookings
                FROM booking_details
                WHERE booking_details.event_id = inventory.event_id
                    AND status IN ('HELD', 'CONFIRMED')
            ) AS rows
            CROSS JOIN LATERAL (
                SELECT count(*) AS entries
                FROM waiting_list
                WHERE waiting_list.event_id = inventory.event_id
                    AND state = 'WAITING'
                    AND closed_at IS NULL
            ) AS line
            CROSS JOIN LATERAL (
                SELECT sum(seats) AS seats, count(*) AS revs, max(rev) AS last_rev
                FROM ledger
                WHERE ledger.event_id = inventory.event_id
            ) AS entries
            WHERE sold + held <> rows.seats
                OR live_bookings <> rows.bookings
                OR sold + held + blocked <> entries.seats
                OR waiting <> line.entries
                OR rev % 1000000000 <> entries.revs
                OR rev <> entries.last_rev
        """).fetchall()
        )
