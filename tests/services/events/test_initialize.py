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


async def test_an_event_is_made_by_its_key(client: Client, bookings: ScriptedBookings) -> None:
    """It is published, has its key as its name, and bookings hears of it."""
    response = await client.initialize("jazz.2030", 7)
    assert response.created
    assert response.event == events_pb2.InitializedEvent(
        event_id="jazz.2030", total_tickets=7, available_tickets=7, waiting_list=0
    )
    [heard] = bookings.heard
    assert (heard.key, heard.name, heard.total_seats) == ("jazz.2030", "jazz.2030", 7)
    assert heard.status == PUBLISHED
    assert (await client.get(heard.event_id)).key == "jazz.2030"


async def test_the_same_again_shows_how_it_stands(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """Nothing is made, and bookings says what is left and who waits."""
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
async def test_what_bookings_does_not_say_is_left_open(
    client: Client, bookings: ScriptedBookings, trouble: Any
) -> None:
    """A new event has all its seats whoever is away; of an old one nobody knows."""
    bookings.trouble = bookings.seats_trouble = trouble
    assert (await client.initialize("jazz")).event.available_tickets == 100
    again = (await client.initialize("jazz")).event
    assert not again.HasField("available_tickets")
    assert not again.HasField("waiting_list")


async def test_other_totals_are_another_event(client: Client, database: Database) -> None:
    """Refused with whose key it is, and nothing has changed."""
    await client.initialize("jazz", 7)
    [(event_id,)] = rows(database, "SELECT id FROM events")
    with refused("EVENT_EXISTS") as told:
        await client.initialize("jazz", 8)
    assert told.metadata == {"event_id": str(event_id)}
    assert rows(database, "SELECT total_seats, revision FROM events") == [(7, 1)]


async def test_an_event_that_was_made_otherwise_is_the_same(client: Client) -> None:
    """Who made it by which request does not matter: it is there, and has as many seats."""
    await client.create(key="jazz", name="All night", total_seats=7)
    assert not (await client.initialize("jazz", 7)).created


@pytest.mark.parametrize("status", [DRAFT, CANCELLED, COMPLETED])
async def test_an_event_that_sells_nothing_is_another(client: Client, status: int) -> None:
    """Whoever initializes wants to sell tickets."""
    await client.create(key="jazz", total_seats=7, status=status)
    with refused("EVENT_EXISTS"):
        await client.initialize("jazz", 7)


async def test_a_deleted_event_keeps_its_key(client: Client) -> None:
    """A key never means two events."""
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
    """And makes nothing."""
    with refused("VALIDATION_ERROR") as told:
        await client.initialize(key, total)
    assert told.paths == [path]
    assert rows(database, "SELECT count(*) FROM events") == [(0,)]


async def initialize(events: Events, viewer: Viewer, key: str = "jazz") -> bool:
    """Initializes; returns whether that made the event."""
    result = await events.initialize(WantedEvent(key, 7, viewer), None)
    assert isinstance(result, InitializedEvent)
    return result.is_new


async def test_only_who_may_change_it_has_the_same_event(events: Events) -> None:
    """To anybody else the key is taken."""
    assert await initialize(events, OWNER)
    for viewer in (OWNER, ADMIN, OTHER_SERVICE):
        assert not await initialize(events, viewer)
    for viewer in (OTHER, GUEST):
        with refused("EVENT_EXISTS"):
            await initialize(events, viewer)
    with refused("PERMISSION_DENIED"):
        await initialize(events, USER)


async def test_an_event_of_nobody_is_everybodys_under_open_access(events: Events) -> None:
    """Without it organizers have their own events only."""
    assert await initialize(events, GUEST)
    assert not await initialize(events, GUEST)
    with refused("EVENT_EXISTS"):
        await initialize(events, OTHER)


async def test_a_repeated_request_gets_the_first_answer(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """That it was made, although it is there by now; refusals too."""
    first = await client.initialize("jazz", 7, request_id="key-1")
    [(event_id,)] = rows(database, "SELECT id FROM events")
    bookings.booked[event_id] = 5
    again = await client.initialize("jazz", 7, request_id="key-1")
    assert (first.created, first.replayed) == (True, False)
    assert (again.created, again.replayed) == (True, True)
    assert again.event == first.event
    for expected in (None, "true"):
        with refused("EVENT_EXISTS") as told:
            await client.initialize("jazz", 8, request_id="key-2")
        assert told.metadata.get("replayed") == expected
    with refused("IDEMPOTENCY_KEY_REUSED"):
        await client.initialize("jazz", 8, request_id="key-1")


async def test_what_was_found_is_replayed_as_found(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """With the seats that it had then."""
    await client.initialize("jazz", 7)
    [(event_id,)] = rows(database, "SELECT id FROM events")
    first = await client.initialize("jazz", 7, request_id="key-1")
    bookings.booked[event_id] = 5
    again = await client.initialize("jazz", 7, request_id="key-1")
    assert (again.created, again.replayed) == (False, True)
    assert again.event == first.event


async def race(client: Client) -> Counter[str]:
    """Has 32 initialize one key at once, and counts what came of it."""
    attempts = (client.initialize("jazz", 7) for _ in range(32))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    return Counter(
        ("created" if outcome.created else "found")
        if isinstance(outcome, events_pb2.InitializeEventResponse)
        else getattr(outcome, "reason", repr(outcome))
        for outcome in outcomes
    )


async def test_of_many_who_initialize_one_makes_the_event(
    client: Client, database: Database
) -> None:
    """All others find it, and know its seats."""
    assert await race(client) == {"created": 1, "found": 31}
    assert rows(database, "SELECT key, total_seats FROM events") == [("jazz", 7)]


async def test_without_the_constraint_many_would_make_it(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: the unique key is what admits one."""
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
    """It is looked at again once bookings has answered."""
    await client.initialize("jazz", 7)

    async def close() -> None:
        await asyncio.to_thread(change_rows, database, "UPDATE events SET status = 'CANCELLED'")

    bookings.seats_trouble = close
    with pytest.raises(Refusal) as caught:
        await initialize(events, GUEST)
    assert caught.value.reason == "EVENT_EXISTS"


async def test_a_state_is_found_by_its_key(client: Client) -> None:
    """As by its number: deleted events too, and there is none for a key that nobody has."""
    created = await client.create(key="7")
    assert await client.state("7") == await client.state(created.id)
    await client.delete(created.id)
    assert (await client.state("7")).deleted
    with refused("EVENT_NOT_FOUND"):
        await client.state("8")
    for wrong in ("", "x" * 65):
        with refused("VALIDATION_ERROR"):
            await client.state(wrong)
