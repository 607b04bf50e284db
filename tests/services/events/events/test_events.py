import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from boxoffice.events.v1 import events_pb2
from tests.conftest import Database
from tests.services.events.client import (
    CANCELLED,
    COMPLETED,
    DRAFT,
    PUBLISHED,
    Client,
    refused,
    rows,
)
from tests.services.events.conftest import Serve
from tests.services.events.scripted import ScriptedBookings, crash, hang

NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)
ONE = datetime(2030, 5, 1, 13, tzinfo=UTC)


async def test_fields_that_a_client_sets_come_back(client: Client) -> None:
    """A field would be lost when it is stored, or when it is read."""
    fields: dict[str, Any] = {
        "name": "Jazz",
        "description": "All night",
        "total_seats": 7,
        "status": DRAFT,
        "starts_at": ONE,
        "venue": "Hall",
        "time_zone": "Europe/Berlin",
        "sales_open_at": NOON,
        "sales_close_at": ONE,
        "price": {"amount_minor": 1250, "currency": "EUR"},
        "key": "jazz-1",
        "one_booking_per_user": False,
    }
    created = await client.create(**fields)
    stored = events_pb2.Event()
    stored.CopyFrom(created)
    for computed in ("id", "version", "created_at", "updated_at", "available_seats"):
        stored.ClearField(computed)
    assert stored == events_pb2.Event(**fields)
    assert await client.get(created.id) == created


async def test_fields_that_a_client_leaves_out_have_their_defaults(client: Client) -> None:
    """A new event would not be published, or have no seats."""
    created = await client.create(total_seats=9)
    assert (created.status, created.version, created.available_seats) == (PUBLISHED, 1, 9)
    for unset in ("price", "key", "organizer_id", "one_booking_per_user", "starts_at"):
        assert not created.HasField(unset)


@pytest.mark.parametrize("status", [DRAFT, PUBLISHED, CANCELLED, COMPLETED])
async def test_an_event_may_start_in_any_status(client: Client, status: int) -> None:
    """An import could not create events that are over already."""
    assert (await client.create(status=status)).status == status


async def test_computed_fields_cannot_be_set(client: Client) -> None:
    """A client could set ids and owners, or not send back an event it got."""
    created = await client.create(id=99, version=7, available_seats=1, organizer_id="acct_1")
    assert (created.version, created.available_seats) == (1, 100)
    assert created.id != 99
    assert not created.HasField("organizer_id")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": ""}, "event.name"),
        ({"name": " "}, "event.name"),
        ({"name": "a\nb"}, "event.name"),
        ({"name": "x" * 201}, "event.name"),
        ({"total_seats": -1}, "event.total_seats"),
        ({"total_seats": 1_000_001}, "event.total_seats"),
        ({"status": 0}, "event.status"),
        ({"status": 9}, "event.status"),
        ({"description": "x" * 5001}, "event.description"),
        ({"time_zone": "Mars/Olympus"}, "event.time_zone"),
        ({"key": "jazz\n"}, "event.key"),
        ({"key": "x" * 65}, "event.key"),
        ({"price": {"amount_minor": -1, "currency": "EUR"}}, "event.price.amount_minor"),
        ({"price": {"amount_minor": 1, "currency": "euro"}}, "event.price.currency"),
        ({"starts_at": {"seconds": 2**60}}, "event.starts_at"),
        ({"sales_open_at": ONE, "sales_close_at": NOON}, "event.sales_close_at"),
        ({"sales_open_at": NOON, "sales_close_at": NOON}, "event.sales_close_at"),
    ],
)
async def test_a_field_that_breaks_its_rule_is_named(
    client: Client, fields: dict[str, Any], path: str
) -> None:
    """A bad value would reach the database, or be refused without its name."""
    with refused("VALIDATION_ERROR") as refusal:
        await client.create(**fields)
    assert path in refusal.paths


async def test_a_key_means_one_event_for_ever(client: Client) -> None:
    """A key would come to mean another event once its event is deleted."""
    created = await client.create(key="jazz")
    await client.delete(created.id)
    with refused("EVENT_EXISTS") as refusal:
        await client.create(key="jazz")
    assert refusal.metadata == {"event_id": str(created.id)}


async def test_a_key_is_taken_by_one_of_many_requests(client: Client, database: Database) -> None:
    """A key read before the insert would be taken by several requests."""
    attempts = (client.create(key="jazz") for _ in range(16))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, events_pb2.Event) for outcome in outcomes) == 1
    assert rows(database, "SELECT count(*) FROM events") == [(1,)]


async def test_bookings_hears_of_a_new_event_at_once(
    client: Client, bookings: ScriptedBookings
) -> None:
    """Reserving right after creating would have to ask events first."""
    created = await client.create(name="Jazz", status=DRAFT, total_seats=5)
    [heard] = bookings.heard
    assert (heard.event_id, heard.revision, heard.total_seats) == (created.id, 1, 5)
    assert (heard.name, heard.status, heard.deleted) == ("Jazz", DRAFT, False)


@pytest.mark.parametrize("trouble", [crash, hang])
async def test_an_event_is_created_while_bookings_is_away(
    client: Client, bookings: ScriptedBookings, trouble: Any
) -> None:
    """Creating would fail while bookings is down."""
    bookings.trouble = bookings.seats_trouble = trouble
    created = await client.create()
    assert created.available_seats == 100
    assert not (await client.get(created.id)).HasField("available_seats")


async def test_available_seats_are_what_bookings_has_left(
    client: Client, bookings: ScriptedBookings
) -> None:
    """A page would need a call for each event, or fail for one unknown event."""
    known, unknown, draft = [
        (await client.create(status=status)).id for status in (PUBLISHED, PUBLISHED, DRAFT)
    ]
    bookings.booked[known] = 30
    del bookings.states[unknown]
    listed = {event.id: event for event in await client.list()}
    assert listed[known].available_seats == 70
    assert listed[draft].available_seats == 100
    assert not listed[unknown].HasField("available_seats")
    assert bookings.counted == 1


async def test_lists_go_newest_first_page_by_page(client: Client) -> None:
    """Pages would repeat or skip events, or take tokens of other lists."""
    ids = [(await client.create(name=f"Event {number}")).id for number in range(5)]
    seen, token = [], ""
    while True:
        request = events_pb2.ListEventsRequest(page_size=2, page_token=token)
        response = await client.call(client.events.ListEvents, request)
        assert not response.HasField("total")
        seen += [event.id for event in response.events]
        token = response.next_page_token
        if not token:
            break
        with refused("INVALID_PAGE_TOKEN"):
            await client.list(page_token=token, status=PUBLISHED)
    assert seen == ids[::-1]
    with refused("INVALID_PAGE_TOKEN"):
        await client.list(page_token="x")


async def test_numbered_pages_count_all(client: Client) -> None:
    """A page past the end would be an error, or lose the total."""
    ids = [(await client.create()).id for _ in range(3)]
    request = events_pb2.ListEventsRequest(page=2, page_size=2)
    response = await client.call(client.events.ListEvents, request)
    assert [event.id for event in response.events] == [ids[0]]
    assert response.total == 3
    response = await client.call(client.events.ListEvents, events_pb2.ListEventsRequest(page=9))
    assert (len(response.events), response.total) == (0, 3)


async def test_lists_filter_by_status_and_organizer(client: Client) -> None:
    """A list would show deleted events, or those of other organizers."""
    draft = await client.create(status=DRAFT)
    gone = await client.create(status=DRAFT)
    await client.create()
    await client.delete(gone.id)
    assert [event.id for event in await client.list(status=DRAFT)] == [draft.id]
    assert await client.list(organizer_id="acct_1") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("jazz", True),
        ("JAZZ", True),
        ("ja", True),
        ("night jaz", True),
        ("jaz night", False),
        ("hall", True),
        ("rock", False),
        ('"jazz night"', True),
        ('"night jazz"', False),
        ("jazz -rock", True),
        ("jazz -night", False),
        ('jazz -"night fever"', True),
        ("rock or jazz", True),
        ("café", True),
        ("!!! & | ( ' \\ :*", False),
        ("  ", True),
        ("", True),
    ],
)
async def test_a_query_finds_words_and_the_start_of_the_last(
    client: Client, query: str, found: bool
) -> None:
    """A search would miss fields, or fail on what a visitor types."""
    created = await client.create(name="Jazz Night", description="At the café", venue="Old Hall")
    assert [event.id for event in await client.list(query=query)] == [created.id] * found


async def test_drafts_are_hidden_without_open_access(client: Client, serve: Serve) -> None:
    """Anybody could see or count drafts, or services could not."""
    draft = await client.create(status=DRAFT)
    shown = await client.create()
    async with serve(open_access=False) as closed:
        with refused("EVENT_NOT_FOUND"):
            await closed.get(draft.id)
        assert [event.id for event in await closed.list()] == [shown.id]
        counted = await closed.call(closed.events.ListEvents, events_pb2.ListEventsRequest(page=1))
        assert counted.total == 1
        closed.be_service()
        assert (await closed.get(draft.id)).id == draft.id
        assert len(await closed.list()) == 2


async def test_without_open_access_nobody_changes_anything(client: Client, serve: Serve) -> None:
    """A caller without a token could change events."""
    created = await client.create()
    async with serve(open_access=False) as closed:
        for attempt in (closed.create(), closed.update(created.id), closed.delete(created.id)):
            with refused("UNAUTHENTICATED"):
                await attempt


async def test_states_are_for_services_and_last(client: Client) -> None:
    """Clients could read states, or bookings lose those of deleted events."""
    created = await client.create(name="Jazz")
    await client.delete(created.id)
    state = await client.state(created.id)
    assert (state.revision, state.deleted, state.name) == (2, True, "Jazz")
    with refused("EVENT_NOT_FOUND"):
        await client.state(created.id + 1)
    with refused("PERMISSION_DENIED"):
        await client.state(created.id, as_service=False)


async def test_an_event_that_never_was_is_not_found(client: Client) -> None:
    """An id without an event, however large, would be an internal error."""
    with refused("EVENT_NOT_FOUND"):
        await client.get(1)
    with refused("EVENT_NOT_FOUND"):
        await client.get(2**63 - 1)
    with refused("VALIDATION_ERROR"):
        await client.get(0)
