import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import MappingProxyType

import psycopg
import pytest

from boxoffice.events.v1 import events_pb2
from services.events import idempotency as idempotency_module
from services.events.errors import EventExists
from services.events.events import messages
from services.events.events.results import PendingChange
from services.events.idempotency import Idempotency
from services.kit.database import idempotency as keys
from services.kit.database.idempotency import Key
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.conditions import until_blocked
from tests.services.events.client import Client, change_rows, eventually, refused, rows
from tests.services.events.conftest import Serve
from tests.services.events.scripted import INVENTORY_REVISION, ScriptedBookings, crash


async def post(client: Client, request_id: str, **fields: object) -> events_pb2.CreateEventResponse:
    """Creates an event with an idempotency key; returns the whole response."""
    event = events_pb2.Event(**{"name": "Jazz", "total_seats": 10} | fields)  # type: ignore[arg-type]
    request = events_pb2.CreateEventRequest(event=event, request_id=request_id)
    response: events_pb2.CreateEventResponse = await client.call(client.events.CreateEvent, request)
    return response


async def test_a_repeated_request_gets_the_first_response(
    client: Client, database: Database
) -> None:
    """A repetition would create a second event, or show a later state of it."""
    first = await post(client, "key-1")
    await client.update(first.event.id, name="Rock")
    again = await post(client, "key-1")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.event.SerializeToString() == first.event.SerializeToString()
    assert rows(database, "SELECT count(*) FROM events") == [(1,)]


async def test_a_key_used_in_parallel_has_one_effect(client: Client, database: Database) -> None:
    """Requests with one key at the same time would each create an event."""
    attempts = (post(client, "key-1") for _ in range(32))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    responses = {o.event.SerializeToString() for o in outcomes if not isinstance(o, BaseException)}
    reasons = {o.reason for o in outcomes if isinstance(o, Refusal)}
    assert len(responses) == 1
    assert reasons <= {"REQUEST_IN_PROGRESS"}
    assert rows(database, "SELECT count(*) FROM events") == [(1,)]


@pytest.mark.parametrize(("overwrites", "made"), [(False, 1), (True, 4)])
async def test_without_the_claim_a_key_has_one_effect_by_its_row(
    client: Client,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    overwrites: bool,
    made: int,
) -> None:
    """An error in the claim would create events twice.

    Negative control: results that overwrite each other have many effects.
    """
    claim = b"SELECT true FROM json_array_elements(%(keys)s::json)"
    recall = keys.SQL["recall"] + b" WHERE false"
    statements = {**keys.SQL, "claim": claim, "recall": recall}
    if overwrites:
        statements["store"] = keys.SQL["store"].replace(b">= interval '24 hours'", b"IS NOT NULL")
    monkeypatch.setattr(keys, "SQL", MappingProxyType(statements))
    attempts = (post(client, "key-1") for _ in range(4))
    await asyncio.gather(*attempts, return_exceptions=True)
    assert rows(database, "SELECT count(*) FROM events") == [(made,)]


@contextlib.asynccontextmanager
async def at_work(pool: Pool, *, is_late: bool) -> AsyncIterator[None]:
    """Holds a key as the first request with it does, or a process that finishes it later."""
    idempotency = Idempotency(pool, messages.RESPONSES)
    key = Key("", "CreateEvent", "key-1", b"")

    async def work(_: Connection) -> PendingChange:
        return PendingChange()

    async with pool.connection() as connection, connection.transaction(force_rollback=True):
        if is_late:
            await idempotency.settle(connection, key, EventExists())
        else:
            await idempotency.once(connection, key, work)
        yield


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_key_in_flight_elsewhere_is_refused_at_once(
    client: Client, database: Database, pool: Pool, is_late: bool
) -> None:
    """The second request would wait for a first one that may be slow."""
    async with at_work(pool, is_late=is_late):
        with refused("REQUEST_IN_PROGRESS"):
            await post(client, "key-1")
        assert rows(database, "SELECT count(*) FROM events") == [(0,)]


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_claim_that_waits_makes_the_second_wait(
    client: Client,
    database: Database,
    pool: Pool,
    is_late: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control of the test above: a claim that waits makes the second wait."""
    async with at_work(pool, is_late=is_late):
        waiting = keys.SQL["claim"].replace(b"pg_try_advisory", b"pg_advisory")
        monkeypatch.setattr(keys, "SQL", MappingProxyType({**keys.SQL, "claim": waiting}))
        second = asyncio.create_task(post(client, "key-1"))
        async with await psycopg.AsyncConnection.connect(
            database.owner_dsn, autocommit=True
        ) as looking:
            await until_blocked(looking, 1)
        assert not second.done()
    await asyncio.wait({second})


async def test_a_key_with_another_content_is_refused(client: Client) -> None:
    """A request would get the response to other content, without being done."""
    await post(client, "key-1", key="jazz")
    with refused("IDEMPOTENCY_KEY_REUSED"):
        await post(client, "key-1", key="rock")
    with refused("EVENT_EXISTS"):
        await post(client, "key-2", key="jazz")
    with refused("IDEMPOTENCY_KEY_REUSED"):
        await post(client, "key-2", key="jazz", name="Other")


async def test_a_key_counts_for_its_operation_and_caller_alone(client: Client) -> None:
    """A key would replay the response to another operation or caller."""
    created = (await post(client, "key-1")).event
    assert not (await client.respond(created.id, name="Rock", request_id="key-1")).replayed
    client.be_service()
    assert not (await post(client, "key-1")).replayed
    assert not (await client.delete(created.id, request_id="key-1")).replayed


async def test_the_order_of_the_mask_is_no_other_content(client: Client) -> None:
    """A retry that names the same fields in another order would be refused."""
    created = await client.create()
    await client.respond(created.id, name="Rock", venue="Hall", request_id="key-1")
    again = await client.respond(created.id, venue="Hall", name="Rock", request_id="key-1")
    assert again.replayed


async def test_refusals_are_replayed(client: Client) -> None:
    """A repetition would succeed where its first request was refused."""
    created = (await post(client, "key-1", key="jazz")).event
    with refused("EVENT_EXISTS") as refusal:
        await post(client, "key-2", key="jazz")
    assert refusal.metadata == {"event_id": str(created.id)}
    with refused("EVENT_EXISTS") as refusal:
        await post(client, "key-2", key="jazz")
    assert refusal.metadata == {"event_id": str(created.id), "replayed": "true"}
    for replays in (False, True):
        with refused("VERSION_MISMATCH") as refusal:
            await client.update(created.id, name="Rock", if_match='"2"', request_id="key-3")
        assert ("replayed" in refusal.metadata) == replays
        await client.update(created.id, name="Blues")


async def test_an_undecided_outcome_is_not_stored(client: Client) -> None:
    """A request that was invalid, or early, could not be retried with its key."""
    created = await client.create()
    with refused("VALIDATION_ERROR"):
        await client.update(created.id, key="x", request_id="key-1")
    await client.update(created.id, name="Rock", request_id="key-1")
    with refused("EVENT_NOT_FOUND"):
        await client.delete(created.id + 1, request_id="key-2")
    assert (await post(client, "")).event.id == created.id + 1
    assert not (await client.delete(created.id + 1, request_id="key-2")).replayed


async def test_a_deletion_is_replayed(client: Client, bookings: ScriptedBookings) -> None:
    """A retry of a deletion would be told that there is no such event."""
    created = await client.create()
    bookings.booked[created.id] = 4
    await client.delete(created.id, request_id="key-1")
    again = await client.delete(created.id, request_id="key-1")
    assert (again.replayed, again.deleted_event.cancelled_bookings) == (True, 4)
    with refused("EVENT_NOT_FOUND"):
        await client.delete(created.id)


async def test_a_refused_shrink_is_refused_again(
    client: Client, bookings: ScriptedBookings
) -> None:
    """A refused change would be made by a retry, once seats are given back."""
    created = await client.create(total_seats=100)
    bookings.booked[created.id] = 60
    for _ in range(2):
        with refused("CAPACITY_BELOW_BOOKED"):
            await client.update(created.id, total_seats=50, request_id="key-1")
        bookings.booked[created.id] = 0
    assert (await client.get(created.id)).version == 3
    await client.update(created.id, total_seats=50, request_id="key-2")


async def test_a_shrink_in_parallel_with_one_key_has_one_effect(
    client: Client, database: Database
) -> None:
    """Requests that find their key pending would work again, or differ."""
    created = await client.create(total_seats=100)
    attempts = (client.respond(created.id, total_seats=50, request_id="key-1") for _ in range(16))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    responses = {o.event.SerializeToString() for o in outcomes if not isinstance(o, BaseException)}
    reasons = {o.reason for o in outcomes if isinstance(o, Refusal)}
    assert len(responses) == 1
    # On a busy machine some find no connection in time.
    assert reasons <= {"REQUEST_IN_PROGRESS", "UNAVAILABLE"}
    assert rows(database, "SELECT revision, total_seats FROM events") == [(2, 50)]


async def grow(client: Client, event_id: int) -> bytes:
    """Adds seats with a key, which bookings need not decide; returns the event's bytes."""
    response = await client.respond(event_id, total_seats=20, request_id="key-1")
    return response.event.SerializeToString(deterministic=True)


def seats_left(event_bytes: bytes) -> int | None:
    """Reads how many seats of an event are left; None if that is not set."""
    event = events_pb2.Event.FromString(event_bytes)
    return event.available_seats if event.HasField("available_seats") else None


async def test_seats_that_were_left_out_stay_left_out(
    client: Client, bookings: ScriptedBookings
) -> None:
    """A repetition would differ once bookings is up again."""
    created = await client.create(total_seats=10)
    bookings.trouble = bookings.seats_trouble = crash
    first = await grow(client, created.id)
    bookings.trouble = bookings.seats_trouble = None
    assert seats_left(first) is None
    assert [await grow(client, created.id) for _ in range(2)] == [first] * 2


async def test_seats_in_a_response_are_replayed(client: Client, bookings: ScriptedBookings) -> None:
    """A repetition would differ once bookings is down."""
    created = await client.create(total_seats=10)
    first = await grow(client, created.id)
    bookings.trouble = bookings.seats_trouble = crash
    assert seats_left(first) == 20
    assert await grow(client, created.id) == first


async def test_a_crash_before_seats_are_counted_leaves_one_response(
    client: Client, bookings: ScriptedBookings
) -> None:
    """After a crash two repetitions would get different responses."""
    created = await client.create(total_seats=10)
    counting = asyncio.Event()

    async def hang_up() -> None:
        counting.set()
        await asyncio.Event().wait()

    bookings.seats_trouble = hang_up
    first = asyncio.create_task(grow(client, created.id))
    await counting.wait()
    first.cancel()
    await asyncio.wait({first})
    bookings.seats_trouble = None
    again = await grow(client, created.id)
    assert seats_left(again) is None
    assert events_pb2.Event.FromString(again).total_seats == 20
    assert await grow(client, created.id) == again


async def overtaken(client: Client, bookings: ScriptedBookings) -> list[bytes]:
    """Repeats a change while its first request counts seats; returns all responses."""
    created = await client.create(total_seats=10)
    responses: list[bytes] = []

    async def repeat() -> None:
        bookings.seats_trouble = None
        responses.append(await grow(client, created.id))

    bookings.seats_trouble = repeat
    responses.append(await grow(client, created.id))
    return [*responses, await grow(client, created.id)]


async def test_a_request_overtaken_by_its_repetition_responds_the_same(
    client: Client, bookings: ScriptedBookings
) -> None:
    """The first request would respond with seats that the repetition left out."""
    responses = await overtaken(client, bookings)
    assert len(responses) == 3
    assert len(set(responses)) == 1


async def test_without_its_condition_the_later_response_would_win(
    client: Client, bookings: ScriptedBookings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control of the test above: only an incomplete result may be completed."""
    sql = idempotency_module.SQL
    unconditional = sql["complete"].replace(b"AND is_refusal IS NULL", b"")
    statements = MappingProxyType({**sql, "complete": unconditional})
    monkeypatch.setattr(idempotency_module, "SQL", statements)
    assert len(set(await overtaken(client, bookings))) == 2


async def test_seats_that_cannot_be_stored_are_not_returned(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """A response would show seats that its repetition leaves out."""
    created = await client.create(total_seats=10)

    async def lose_results() -> None:
        change_rows(database, "ALTER TABLE idempotency RENAME TO lost")

    bookings.seats_trouble = lose_results
    with refused("OUTCOME_UNKNOWN"):
        await grow(client, created.id)
    change_rows(database, "ALTER TABLE lost RENAME TO idempotency")
    bookings.seats_trouble = None
    again = await client.respond(created.id, total_seats=20, request_id="key-1")
    assert (again.replayed, again.event.total_seats, again.event.version) == (True, 20, 2)


async def test_a_retry_finishes_a_pending_change(
    client: Client, bookings: ScriptedBookings
) -> None:
    """A retry would stay unknown although bookings is up again."""
    created = await client.create(total_seats=100)
    bookings.trouble = crash
    for _ in range(2):
        with refused("OUTCOME_UNKNOWN"):
            await client.update(created.id, total_seats=50, request_id="key-1")
    bookings.trouble = None
    response = await client.respond(created.id, total_seats=50, request_id="key-1")
    assert (response.event.version, response.event.total_seats) == (2, 50)
    assert (await client.respond(created.id, total_seats=50, request_id="key-1")).replayed


async def test_the_worker_stores_the_result_for_the_key(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """A key whose change the worker finished would have no result."""
    created = await client.create(total_seats=100)
    bookings.booked[created.id] = 60
    bookings.trouble = crash
    with refused("OUTCOME_UNKNOWN"):
        await client.update(created.id, total_seats=50, request_id="key-1")
    bookings.trouble = None
    change_rows(database, "UPDATE intents SET attempted_at = attempted_at - interval '1 minute'")

    async def finished() -> bool:
        return rows(database, "SELECT count(*) FROM intents") == [(0,)]

    await eventually(finished)
    with refused("CAPACITY_BELOW_BOOKED") as refusal:
        await client.update(created.id, total_seats=50, request_id="key-1")
    revision = str(INVENTORY_REVISION)
    assert refusal.metadata == {"inventory_revision": revision, "replayed": "true"}


async def test_replicas_share_their_keys(serve: Serve) -> None:
    """A retry that reaches another replica would work again."""
    async with serve() as first, serve() as second:
        await post(first, "key-1")
        assert (await post(second, "key-1")).replayed


async def test_a_key_is_new_again_after_a_day(
    client: Client, database: Database, pool: Pool
) -> None:
    """A client's keys would be used up, or their results kept for ever."""
    first = await post(client, "key-1")
    await post(client, "key-2")
    change_rows(database, "UPDATE idempotency SET decided_at = decided_at - interval '25 hours'")
    again = await post(client, "key-1", name="Other content")
    assert not again.replayed
    assert again.event.id != first.event.id
    assert not await Idempotency(pool, messages.RESPONSES).forget()
    assert rows(database, "SELECT key FROM idempotency") == [("key-1",)]
