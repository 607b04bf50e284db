"""Creating an event by its key, and asking for it again."""

import asyncio
from collections import Counter
from types import MappingProxyType
from typing import Any

import pytest

from boxoffice.events.v1 import events_pb2
from services.events.access import Viewer
from services.events.events import revisions
from services.events.events.events import Events, WantedEvent
from services.events.events.results import InitializedEvent
from services.kit.auth.authentication import ANONYMOUS, SERVICE, Caller, Role
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.events.client import (
    CANCELLED,
    COMPLETED,
    DRAFT,
    PUBLISHED,
    Client,
    change_rows,
    refused,
    rows,
)
from tests.services.events.scripted import ScriptedBookings, crash, hang
from tests.services.issuer import account

ADA, BOB, CY = account("ada"), account("bob"), account("cy")
OWNER = Viewer(Caller(ADA, Role.ORGANIZER), open_access=False)
OTHER = Viewer(Caller(BOB, Role.ORGANIZER), open_access=False)
GUEST = Viewer(ANONYMOUS, open_access=True)
USER = Viewer(Caller(CY, Role.USER), open_access=True)
ADMIN = Viewer(Caller(CY, Role.ADMIN), open_access=False)
OTHER_SERVICE = Viewer(SERVICE, open_access=False)


async def test_an_event_is_created_by_its_key(client: Client, bookings: ScriptedBookings) -> None:
    """The event would have no name, not be published, or be unknown to bookings."""
    response = await client.initialize("jazz.2030", 7)
    assert response.created
    assert response.event == events_pb2.InitializedEvent(
        event_id="jazz.2030", total_tickets=7, available_tickets=7, waiting_list=0
    )
    [heard] = bookings.heard
    assert (heard.key, heard.name, heard.total_seats) == ("jazz.2030", "jazz.2030", 7)
    assert heard.status == PUBLISHED
    assert (await client.get(heard.event_id)).key == "jazz.2030"


async def test_a_repetition_shows_the_event_as_it_is(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """A repetition would create another event, or show it as it was at first."""
    await client.initialize("jazz", 7)
    [(event_id,)] = rows(database, "SELECT id FROM events")
    bookings.booked[event_id], bookings.waiting[event_id] = 7, 3
    again = await client.initialize("jazz", 7)
    assert not again.created
    assert again.event == events_pb2.InitializedEvent(
        event_id="jazz", total_tickets=7, available_tickets=0, waiting_list=3
    )
    assert len(bookings.heard) == 1


@pytest.mark.parametrize("trouble", [crash, hang])
async def test_counts_are_unset_while_bookings_is_away(
    client: Client, bookings: ScriptedBookings, trouble: Any
) -> None:
    """Counts would be made up while bookings is down."""
    bookings.trouble = bookings.seats_trouble = trouble
    assert (await client.initialize("jazz")).event.available_tickets == 100
    again = (await client.initialize("jazz")).event
    assert not again.HasField("available_tickets")
    assert not again.HasField("waiting_list")


async def test_other_totals_are_another_event(client: Client, database: Database) -> None:
    """An event would be taken for one with another number of seats."""
    await client.initialize("jazz", 7)
    [(event_id,)] = rows(database, "SELECT id FROM events")
    with refused("EVENT_EXISTS") as refusal:
        await client.initialize("jazz", 8)
    assert refusal.metadata == {"event_id": str(event_id)}
    assert rows(database, "SELECT total_seats, revision FROM events") == [(7, 1)]


async def test_an_event_of_another_rpc_is_found(client: Client) -> None:
    """An event that another RPC created would be refused."""
    await client.create(key="jazz", name="All night", total_seats=7)
    assert not (await client.initialize("jazz", 7)).created


@pytest.mark.parametrize("status", [DRAFT, CANCELLED, COMPLETED])
async def test_an_event_that_cannot_be_booked_is_another(client: Client, status: int) -> None:
    """An event that cannot be booked would be returned as if it could."""
    await client.create(key="jazz", total_seats=7, status=status)
    with refused("EVENT_EXISTS"):
        await client.initialize("jazz", 7)


async def test_a_deleted_event_keeps_its_key(client: Client) -> None:
    """A key would come to mean two events."""
    created = await client.create(key="jazz", total_seats=7)
    await client.delete(created.id)
    with refused("EVENT_EXISTS"):
        await client.initialize("jazz", 7)


@pytest.mark.parametrize(
    ("key", "total", "path"),
    [
        ("", 7, "event_id"),
        ("jazz night", 7, "event_id"),
        ("jazz\n", 7, "event_id"),
        ("x" * 65, 7, "event_id"),
        ("jazz", -1, "total_tickets"),
        ("jazz", 1_000_001, "total_tickets"),
        ("jazz", None, "total_tickets"),
    ],
)
async def test_bad_input_is_named(
    client: Client, database: Database, key: str, total: Any, path: str
) -> None:
    """A bad value would create an event, or be refused without its name."""
    with refused("VALIDATION_ERROR") as refusal:
        await client.initialize(key, total)
    assert refusal.paths == [path]
    assert rows(database, "SELECT count(*) FROM events") == [(0,)]


async def initialize(events: Events, viewer: Viewer, key: str = "jazz") -> bool:
    """Initializes an event; returns whether that created it."""
    result = await events.initialize(WantedEvent(key, 7, viewer), None)
    assert isinstance(result, InitializedEvent)
    return result.is_new


async def test_an_event_is_found_by_those_who_may_change_it(events: Events) -> None:
    """Others could use an event as their own that they may not change."""
    assert await initialize(events, OWNER)
    for viewer in (OWNER, ADMIN, OTHER_SERVICE):
        assert not await initialize(events, viewer)
    for viewer in (OTHER, GUEST):
        with refused("EVENT_EXISTS"):
            await initialize(events, viewer)
    with refused("PERMISSION_DENIED"):
        await initialize(events, USER)


async def test_an_event_without_owner_is_found_under_open_access(events: Events) -> None:
    """Organizers could take over events that nobody owns."""
    assert await initialize(events, GUEST)
    assert not await initialize(events, GUEST)
    with refused("EVENT_EXISTS"):
        await initialize(events, OTHER)


async def test_a_repeated_request_gets_the_first_response(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """A repetition would be told that the event existed, or work again."""
    first = await client.initialize("jazz", 7, request_id="key-1")
    [(event_id,)] = rows(database, "SELECT id FROM events")
    bookings.booked[event_id] = 5
    again = await client.initialize("jazz", 7, request_id="key-1")
    assert (first.created, first.replayed) == (True, False)
    assert (again.created, again.replayed) == (True, True)
    assert again.event == first.event
    for expected in (None, "true"):
        with refused("EVENT_EXISTS") as refusal:
            await client.initialize("jazz", 8, request_id="key-2")
        assert refusal.metadata.get("replayed") == expected
    with refused("IDEMPOTENCY_KEY_REUSED"):
        await client.initialize("jazz", 8, request_id="key-1")


async def test_an_event_that_was_found_is_replayed_as_found(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """A repetition would show other seats than the first response."""
    await client.initialize("jazz", 7)
    [(event_id,)] = rows(database, "SELECT id FROM events")
    first = await client.initialize("jazz", 7, request_id="key-1")
    bookings.booked[event_id] = 5
    again = await client.initialize("jazz", 7, request_id="key-1")
    assert (again.created, again.replayed) == (False, True)
    assert again.event == first.event


async def race(client: Client) -> Counter[str]:
    """Initializes one key 32 times at once; counts the results."""
    attempts = (client.initialize("jazz", 7) for _ in range(32))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    return Counter(
        ("created" if outcome.created else "found")
        if isinstance(outcome, events_pb2.InitializeEventResponse)
        else getattr(outcome, "reason", repr(outcome))
        for outcome in outcomes
    )


async def test_one_of_many_requests_creates_the_event(client: Client, database: Database) -> None:
    """Several requests would create the event, or some be refused."""
    assert await race(client) == {"created": 1, "found": 31}
    assert rows(database, "SELECT key, total_seats FROM events") == [("jazz", 7)]


async def test_without_the_constraint_several_create_it(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control of the test above: the unique key admits one event."""
    change_rows(database, "ALTER TABLE events DROP CONSTRAINT events_key_unique")
    statement = revisions.SQL["create_event"]
    clause = b"ON CONFLICT ON CONSTRAINT events_key_unique DO NOTHING\n"
    assert statement.count(clause) == 1
    statements = {**revisions.SQL, "create_event": statement.replace(clause, b"")}
    monkeypatch.setattr(revisions, "SQL", MappingProxyType(statements))
    assert (await race(client))["created"] > 1


async def test_an_event_that_closes_meanwhile_is_not_shown_as_open(
    client: Client, events: Events, bookings: ScriptedBookings, database: Database
) -> None:
    """An event read before its seats are counted could be cancelled since."""
    await client.initialize("jazz", 7)

    async def close() -> None:
        await asyncio.to_thread(change_rows, database, "UPDATE events SET status = 'CANCELLED'")

    bookings.seats_trouble = close
    with pytest.raises(Refusal) as caught:
        await initialize(events, GUEST)
    assert caught.value.reason == "EVENT_EXISTS"


async def test_a_state_is_found_by_its_key(client: Client) -> None:
    """Bookings could not find an event by its key, or not a deleted one."""
    created = await client.create(key="7")
    assert await client.state("7") == await client.state(created.id)
    await client.delete(created.id)
    assert (await client.state("7")).deleted
    with refused("EVENT_NOT_FOUND"):
        await client.state("8")
    for wrong in ("", "x" * 65):
        with refused("VALIDATION_ERROR"):
            await client.state(wrong)
