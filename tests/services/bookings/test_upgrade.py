"""Upgrades the database of the release before the core existed."""

import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from boxoffice.bookings.v1 import bookings_pb2, waiting_list_pb2
from deploy.local.postgres.server import EmbeddedPostgres
from services import bookings as package
from services.bookings.catalogue.following import Follower
from services.bookings.catalogue.reconciling import Reconciler
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import Booked, Waiting
from services.bookings.rankings.rankings import Rankings
from services.bookings.reservations import reservations
from services.bookings.reservations.cancellations import Cancellation, Cancellations
from services.bookings.waiting_list import booking
from services.kit.database.migrations import migrate
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal
from services.migrate import migrate_all
from tests.databases import PASSWORDS, Database, cloned
from tests.pools import patient_pool
from tests.services.bookings.asking import GUEST, response_to
from tests.services.bookings.conftest import concert, drift
from tests.services.bookings.scripted_feed import ScriptedFeed

MIGRATIONS = Path(package.__file__).parent / "migrations"
OLD = Path(__file__).parent / "upgrade"
OLD_MIGRATIONS = ("0001_bookings.sql", "0002_notices.sql", "0003_booked_seats.sql")
NEW_FUNCTIONS = (
    "core_bookings.sql",
    "core_payments.sql",
    "ending_holds.sql",
    "loaded_bookings.sql",
    "payments_agree.sql",
    "seats_agree.sql",
    "shown_bookings.sql",
    "shown_payments.sql",
    "shown_tickets.sql",
)
RESPONSES: Mapping[str, type[Message]] = {
    "reserve": bookings_pb2.ReserveResponse,
    "create_booking": bookings_pb2.CreateBookingResponse,
    "book_ticket": waiting_list_pb2.BookResponse,
    "cancel_booking": bookings_pb2.CancelBookingByReferenceResponse,
    "cancel_ticket": waiting_list_pb2.CancelResponse,
}
ANSWERED: list[dict[str, Any]] = json.loads((OLD / "answers.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def upgraded(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """Restores a database of the old release, and runs today's migrations on it."""
    folder = tmp_path_factory.mktemp("old")
    with cloned(postgres) as database:
        with psycopg.connect(database.owner_dsn) as connection:
            connection.execute("DROP SCHEMA bookings CASCADE")
        _migrate_as_before(database, folder)
        with psycopg.connect(database.owner_dsn) as connection:
            connection.execute("SET search_path TO bookings")
            connection.execute((OLD / "data.sql").read_bytes())
        migrate_all(database.owner_dsn, PASSWORDS)
        yield database


def _migrate_as_before(database: Database, folder: Path) -> None:
    """Runs the migrations of the old release: some of today's, and functions that are gone."""
    ignored = shutil.ignore_patterns(*NEW_FUNCTIONS)
    shutil.copytree(MIGRATIONS / "functions", folder / "functions", ignore=ignored)
    shutil.copy(OLD / "functions.sql", folder / "functions/gone.sql")
    for name in OLD_MIGRATIONS:
        shutil.copy(MIGRATIONS / name, folder)
    migrate(
        database.owner_dsn,
        schema="bookings",
        directory=folder,
        role="boxoffice_bookings",
        password=PASSWORDS["bookings"],
    )


@pytest.fixture
async def pool(upgraded: Database) -> AsyncIterator[Pool]:
    """Opens a pool with the role of the service."""
    async with patient_pool(upgraded.bookings_dsn, schema="bookings", size=2) as opened:
        yield opened


@pytest.fixture
def inventory(pool: Pool) -> Inventory:
    """Returns today's inventory over the old rows."""
    return Inventory(pool, closing_chunk=1)


def _id(answered: dict[str, Any]) -> str:
    return str(answered["key"])


@pytest.mark.parametrize("answered", ANSWERED, ids=_id)
async def test_old_keys_are_answered_as_they_were(
    pool: Pool, inventory: Inventory, answered: dict[str, Any]
) -> None:
    """A request that is repeated across the upgrade would book twice or get another response.

    The expected values are the responses of the old release to a repetition.
    """
    answer = await _ask(pool, inventory, **answered)
    if isinstance(answer, Refusal):
        refused = {"reason": answer.reason, "metadata": dict(answer.metadata)}
        assert refused == answered.get("refused")
    else:
        written = MessageToDict(answer, preserving_proto_field_name=True)
        assert written == answered.get("answered")


async def _ask(
    pool: Pool, inventory: Inventory, *, operation: str, key: str, **asked: Any
) -> Message | Refusal:
    if operation == "cancel_booking":
        cancellation = Cancellation(UUID(asked["reference"]), GUEST, key)
        [ask] = await Cancellations(pool, inventory).asks_of([cancellation])
    else:
        ask = _read(operation, key, asked)
    return await response_to(inventory, ask, RESPONSES[operation])


def _read(operation: str, key: str, asked: Mapping[str, Any]) -> Ask:
    event_id, user_id, seat_count = asked["event_id"], asked["user_id"], asked.get("seat_count", 1)
    match operation:
        case "reserve":
            return reservations.reserve(event_id, user_id, GUEST, key)
        case "create_booking":
            return reservations.create(event_id, user_id, seat_count, GUEST, key)
        case "book_ticket":
            event = f"event-{event_id}", event_id
            return booking.book(event, user_id, seat_count, GUEST, key)
        case _:
            return booking.cancel(event_id, user_id, GUEST, key)


async def test_a_key_means_what_it_meant(pool: Pool, inventory: Inventory) -> None:
    """A key of the old release would return the response of another request."""
    answer = await _ask(
        pool, inventory, operation="reserve", key="reserve-ada", event_id=1, user_id="mallory"
    )
    assert isinstance(answer, Refusal)
    assert answer.reason == "IDEMPOTENCY_KEY_REUSED"


async def test_counting_goes_on_after_the_upgrade(
    pool: Pool, inventory: Inventory, upgraded: Database
) -> None:
    """Old rows that are read in another sense would stop the sale, or sell a seat twice.

    An offer can still be accepted, seats booked, and an unfinished closing goes on.
    """
    assert drift(upgraded) == []
    await _reconcile(pool, inventory)
    booked = [
        reservations.create(1, "new", 2, GUEST),
        reservations.create(1, "newer", 2, GUEST),
        booking.book(("event-3", 3), "first", 1, GUEST),
        booking.book(("event-2", 2), "late", 1, GUEST),
    ]
    one, another, offered, late = await inventory.decide(booked)
    assert isinstance(one, Booked)
    assert isinstance(another, Refusal)
    assert isinstance(offered, Booked)
    assert isinstance(late, Waiting)
    assert late.position == 3
    while await inventory.close_chunk():
        pass
    await Rankings(pool).roll_up()
    await _reconcile(pool, inventory)
    assert drift(upgraded) == []
    assert _read_rows(upgraded, "SELECT event_id FROM inventory WHERE closing") == []
    live = "SELECT count(*) FROM booking_details WHERE status IN ('HELD', 'CONFIRMED')"
    assert _read_rows(upgraded, "SELECT sum(bookings) FROM tallies") == _read_rows(upgraded, live)


async def _reconcile(pool: Pool, inventory: Inventory) -> None:
    """Runs the reconciler against a catalogue that agrees; fails if it freezes an event."""
    feed = ScriptedFeed(epoch="")
    feed.publish(concert(4, 4, rev=2, status="CANCELLED", key="event-4"))
    await Reconciler(pool, inventory, Follower(pool, feed, inventory), feed).reconcile()
    async with pool.connection() as connection:
        frozen = await connection.execute("SELECT event_id FROM inventory WHERE frozen <> ''")
        assert await frozen.fetchall() == []


def _read_rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.owner_dsn, options="-c search_path=bookings") as connection:
        return connection.execute(query.encode()).fetchall()
