"""A database of the former release, with the results that it stored for idempotency keys."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from boxoffice.events.v1 import events_pb2
from deploy.local.postgres.server import EmbeddedPostgres
from services import events as package
from services.events.errors import EventExists
from services.events.requests import fingerprint
from services.kit.database.migrations import migrate
from services.kit.rpc.errors import status_of
from services.migrate import migrate_all
from tests.databases import PASSWORDS, Database, cloned
from tests.services.events.client import refused, rows
from tests.services.events.conftest import Serve

MIGRATIONS = Path(package.__file__).parent / "migrations"
OLD_MIGRATIONS = ("0001_events.sql", "0002_feed.sql", "0003_unfinished_answers.sql")
KEY = "key-1"
CREATE = events_pb2.CreateEventRequest(
    event=events_pb2.Event(name="Jazz", total_seats=10), request_id=KEY
)
INITIALIZE = events_pb2.InitializeEventRequest(event_id="jazz", total_tickets=5, request_id=KEY)
UPDATE = events_pb2.UpdateEventRequest(
    event_id=1,
    event=events_pb2.Event(name="Rock"),
    update_mask=FieldMask(paths=["name"]),
    request_id=KEY,
)
SHRINK = events_pb2.UpdateEventRequest(
    event_id=1,
    event=events_pb2.Event(total_seats=4),
    update_mask=FieldMask(paths=["total_seats"]),
    request_id="pending",
)
DELETE = events_pb2.DeleteEventRequest(event_id=1, request_id=KEY)


@pytest.fixture
def database(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """Returns a database with the schema of the former release and an event."""
    folder = tmp_path_factory.mktemp("old")
    shutil.copytree(MIGRATIONS / "functions", folder / "functions")
    for name in OLD_MIGRATIONS:
        shutil.copy(MIGRATIONS / name, folder)
    with cloned(postgres) as made:
        with psycopg.connect(made.owner_dsn) as connection:
            connection.execute("DROP SCHEMA events CASCADE")
        migrate(
            made.owner_dsn,
            schema="events",
            directory=folder,
            role="boxoffice_events",
            password=PASSWORDS["events"],
        )
        write(
            made,
            "INSERT INTO events (name, total_seats, status) VALUES (%s, %s, 'PUBLISHED')",
            "Jazz",
            10,
        )
        yield made


def write(database: Database, statement: str, *values: object) -> None:
    """Writes into the schema of events."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=events") as connection:
        connection.execute(statement.encode(), values)


def remember(
    database: Database, request: Any, refused: bool | None, answer: Message | None
) -> bytes:
    """Stores an answer as the former release did; returns its bytes."""
    operation = request.DESCRIPTOR.name.removesuffix("Request")
    stored = None if answer is None else answer.SerializeToString(deterministic=True)
    write(
        database,
        "INSERT INTO idempotency (caller, operation, request_id, fingerprint, refused, answer)"
        " VALUES ('', %s, %s, %s, %s, %s)",
        operation,
        request.request_id,
        fingerprint(request),
        refused,
        stored,
    )
    return stored or b""


def event_of_size(size: int) -> events_pb2.Event:
    """Returns an event of so many bytes."""
    event = events_pb2.Event(id=1, name="Jazz", description="")
    while missing := size - event.ByteSize():
        event.description = "x" * (len(event.description) + missing)
    return event


def test_content_is_digested_as_before() -> None:
    """A key that was used before the upgrade would be refused as used for other content."""
    digest = "811a0fafb5a88e788a0aaea0223919714471b3271765fc6307537dbdd00afe5d"
    assert fingerprint(CREATE).hex() == digest


@pytest.mark.parametrize("size", [20, 127, 128, 16_383, 16_384, 20_000])
async def test_old_responses_are_replayed(serve: Serve, database: Database, size: int) -> None:
    """A client that repeats a request across the upgrade would get another response, or none."""
    stored = remember(database, CREATE, False, event_of_size(size))
    assert len(stored) == size
    migrate_all(database.owner_dsn, PASSWORDS)
    async with serve() as client:
        response = await client.call(client.events.CreateEvent, CREATE)
    assert response.replayed
    assert response.event.SerializeToString(deterministic=True) == stored


async def test_old_results_of_all_kinds_are_replayed(serve: Serve, database: Database) -> None:
    """A deletion would be done twice, or a refusal come as a success."""
    deleted = events_pb2.DeletedEvent(event_id=1, cancelled_bookings=3)
    initialized = events_pb2.InitializedEvent(event_id="jazz", total_tickets=5, waiting_list=2)
    remember(database, DELETE, False, deleted)
    remember(database, INITIALIZE, False, events_pb2.InitializeEventResponse(event=initialized))
    remember(database, CREATE, True, status_of(EventExists(event_id=7)))
    migrate_all(database.owner_dsn, PASSWORDS)
    async with serve() as client:
        deletion = await client.call(client.events.DeleteEvent, DELETE)
        assert (deletion.replayed, deletion.deleted_event) == (True, deleted)
        found = await client.call(client.events.InitializeEvent, INITIALIZE)
        assert (found.replayed, found.created, found.event) == (True, False, initialized)
        with refused("EVENT_EXISTS") as refusal:
            await client.call(client.events.CreateEvent, CREATE)
        assert refusal.metadata == {"event_id": "7", "replayed": "true"}


async def test_an_unfinished_answer_is_completed_as_it_is(serve: Serve, database: Database) -> None:
    """The change would be made again, or two repetitions be answered differently."""
    stored = remember(database, UPDATE, None, events_pb2.Event(id=1, name="Rock", version=2))
    migrate_all(database.owner_dsn, PASSWORDS)
    async with serve() as client:
        for _ in range(2):
            response = await client.call(client.events.UpdateEvent, UPDATE)
            assert response.replayed
            assert response.event.SerializeToString(deterministic=True) == stored
    assert rows(database, "SELECT name, revision FROM events") == [("Jazz", 1)]


async def test_a_pending_change_keeps_its_key(serve: Serve, database: Database) -> None:
    """The change would be refused as one of another request, or its key have no result."""
    remember(database, SHRINK, None, None)
    write(
        database,
        "INSERT INTO intents (event_id, revision, changes, caller, operation, request_id)"
        """ VALUES (1, 2, '{"total_seats": 4}', '', 'UpdateEvent', 'pending')""",
    )
    migrate_all(database.owner_dsn, PASSWORDS)
    other = events_pb2.UpdateEventRequest()
    other.CopyFrom(SHRINK)
    other.event.total_seats = 3
    async with serve() as client:
        with refused("IDEMPOTENCY_KEY_REUSED"):
            await client.call(client.events.UpdateEvent, other)
        responses = [await client.call(client.events.UpdateEvent, SHRINK) for _ in range(2)]
    assert [response.event.total_seats for response in responses] == [4, 4]
    assert responses[1].replayed
    assert rows(database, "SELECT total_seats, revision FROM events") == [(4, 2)]
