import asyncio
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from boxoffice.events.v1 import events_pb2
from services.events.events import changes as changes_module
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
from tests.services.events.scripted import INVENTORY_REVISION, ScriptedBookings, crash

NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)
ONE = datetime(2030, 5, 1, 13, tzinfo=UTC)


async def test_only_the_named_fields_change(client: Client) -> None:
    """A change would clear fields it does not name, or keep those it means to clear."""
    created = await client.create(name="Jazz", venue="Hall", description="All night")
    changed = await client.update(created.id, name="Rock", venue=None)
    assert (changed.name, changed.description) == ("Rock", "All night")
    assert not changed.HasField("venue")
    assert changed.version == created.version + 1
    assert changed.created_at == created.created_at
    assert changed.updated_at.ToDatetime() > created.updated_at.ToDatetime()
    assert await client.get(created.id) == changed


async def test_a_price_is_set_and_cleared_as_a_whole(client: Client) -> None:
    """A price could be left with an amount and no currency."""
    created = await client.create(price={"amount_minor": 500, "currency": "EUR"})
    free = await client.update(created.id, price={"amount_minor": 0, "currency": "EUR"})
    assert free.price.currency == "EUR"
    assert not (await client.update(created.id, price=None)).HasField("price")


async def test_without_a_mask_the_set_fields_change(client: Client) -> None:
    """Clients without masks could change nothing (AIP-134); an empty mask is none."""
    created = await client.create(name="Jazz", venue="Hall")
    event = events_pb2.Event(name="Rock")
    request = events_pb2.UpdateEventRequest(event_id=created.id, event=event)
    changed = (await client.call(client.events.UpdateEvent, request)).event
    assert (changed.name, changed.venue) == ("Rock", "Hall")
    assert (await client.update(created.id)).version == changed.version


async def test_an_update_without_a_change_takes_no_revision(
    client: Client, bookings: ScriptedBookings
) -> None:
    """Sending an event back as it was got would be refused, or change its version."""
    created = await client.create(name="Jazz", key="jazz", starts_at=NOON)
    bookings.booked[created.id] = 3
    fetched = await client.get(created.id)
    again = await client.respond(
        created.id, **{field.name: value for field, value in fetched.ListFields()}
    )
    assert again.event == fetched
    assert not again.replayed


@pytest.mark.parametrize("field", ["name", "total_seats", "status"])
async def test_a_required_field_cannot_be_cleared(client: Client, field: str) -> None:
    """An event could lose its name, its number of seats or its status."""
    created = await client.create()
    with refused("VALIDATION_ERROR") as refusal:
        await client.update(created.id, **{field: None})
    assert refusal.paths == [f"event.{field}"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"key": "rock"}, "event.key"),
        ({"key": None}, "event.key"),
        ({"time_zone": "Nowhere"}, "event.time_zone"),
        ({"sales_close_at": NOON}, "event.sales_close_at"),
        ({"total_seats": -1}, "event.total_seats"),
    ],
)
async def test_a_change_that_breaks_a_rule_is_refused(
    client: Client, fields: dict[str, Any], path: str
) -> None:
    """A rule about two fields could be broken by changing one of them."""
    created = await client.create(key="jazz", sales_open_at=ONE)
    with refused("VALIDATION_ERROR") as refusal:
        await client.update(created.id, **fields)
    assert refusal.paths == [path]
    assert await client.get(created.id) == created


@pytest.mark.parametrize("path", ["colour", "price.currency", "", "event.name"])
async def test_an_unknown_path_of_the_mask_is_refused(client: Client, path: str) -> None:
    """A misspelt field would be left unchanged without an error."""
    created = await client.create()
    request = events_pb2.UpdateEventRequest(
        event_id=created.id, event=events_pb2.Event(), update_mask=FieldMask(paths=[path])
    )
    with refused("VALIDATION_ERROR") as refusal:
        await client.call(client.events.UpdateEvent, request)
    assert refusal.paths == ["update_mask"]


@pytest.mark.parametrize("tags", ['"1"', '"9", "1"', '"1","9"', "*", "", ' W/"2" , "1" '])
async def test_a_version_that_matches_is_changed(client: Client, tags: str) -> None:
    """A client that sends several entity tags could never change the event."""
    created = await client.create()
    assert (await client.update(created.id, if_match=tags, name="Rock")).version == 2


@pytest.mark.parametrize("tags", ['"2"', 'W/"1"', "1", '"01"', '"1', "nonsense", '"x"1"', ","])
async def test_a_version_that_does_not_match_is_refused(client: Client, tags: str) -> None:
    """A change could overwrite a version that its client has not seen."""
    created = await client.create()
    for attempt in (
        client.update(created.id, if_match=tags, name="Rock"),
        client.update(created.id, if_match=tags, total_seats=1),
        client.delete(created.id, if_match=tags),
    ):
        with refused("VERSION_MISMATCH") as refusal:
            await attempt
        assert refusal.metadata == {"version": "1"}


async def test_a_change_that_only_adds_needs_no_bookings(
    client: Client, bookings: ScriptedBookings
) -> None:
    """Adding seats would fail while bookings is down, or never reach it."""
    created = await client.create(total_seats=10, status=DRAFT)
    bookings.trouble = bookings.seats_trouble = crash
    grown = await client.update(created.id, total_seats=20, status=PUBLISHED)
    assert (grown.version, grown.total_seats, grown.status) == (2, 20, PUBLISHED)
    assert not grown.HasField("available_seats")
    bookings.trouble = None
    await client.update(created.id, total_seats=20)
    assert bookings.states[created.id].revision == 2


async def test_seats_are_counted_when_the_change_is_in_force(
    client: Client, bookings: ScriptedBookings
) -> None:
    """The response would show added seats that went to people who waited."""
    created = await client.create(total_seats=1)
    bookings.booked[created.id] = 1

    async def fill_from_the_line() -> None:
        bookings.booked[created.id] = 2

    bookings.trouble_after = fill_from_the_line
    for _ in range(2):
        grown = await client.update(created.id, total_seats=2, request_id="key-1")
        assert (grown.total_seats, grown.HasField("available_seats")) == (2, True)
        assert grown.available_seats == 0
        bookings.booked[created.id] = 1
    assert (await client.update(created.id, name="Rock")).available_seats == 0


async def test_seats_of_an_event_that_opens_are_counted(client: Client) -> None:
    """Bookings counts no seats of a draft, so the response would leave them out."""
    created = await client.create(total_seats=10, status=DRAFT)
    assert (await client.update(created.id, name="Rock")).available_seats == 10
    opened = await client.update(created.id, status=PUBLISHED)
    assert opened.available_seats == 10
    assert await client.get(created.id) == opened


async def test_a_shrink_that_bookings_allows_is_done(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """The event would show the seats of its former size, or stay pending."""
    created = await client.create(total_seats=100)
    bookings.booked[created.id] = 30
    shrunk = await client.update(created.id, total_seats=40, name="Small")
    assert (shrunk.total_seats, shrunk.available_seats, shrunk.name) == (40, 10, "Small")
    assert bookings.states[created.id].total_seats == 40
    assert await client.get(created.id) == shrunk
    assert rows(database, "SELECT count(*) FROM intents") == [(0,)]


async def test_a_refused_shrink_changes_nothing_but_the_revision(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """A late copy of a refused change could be applied."""
    created = await client.create(total_seats=100)
    bookings.booked[created.id] = 30
    before = await client.get(created.id)
    with refused("CAPACITY_BELOW_BOOKED") as refusal:
        await client.update(created.id, total_seats=29)
    assert refusal.metadata == {"inventory_revision": str(INVENTORY_REVISION)}
    after = await client.get(created.id)
    assert after.version == 3
    after.version = 1
    assert after == before
    assert rows(database, "SELECT count(*) FROM intents") == [(0,)]
    assert (await client.update(created.id, total_seats=30)).version == 4


async def test_a_rule_cannot_change_under_bookings(
    client: Client, bookings: ScriptedBookings
) -> None:
    """Bookings that exist would break a rule set after them, or be hidden in a draft."""
    created = await client.create()
    changed = await client.update(created.id, one_booking_per_user=True)
    assert changed.one_booking_per_user
    bookings.booked[created.id] = 1
    for fields in ({"one_booking_per_user": None}, {"status": DRAFT}):
        with refused("INVALID_TRANSITION"):
            await client.update(created.id, **fields)
    bookings.booked[created.id] = 0
    assert (await client.update(created.id, status=DRAFT)).status == DRAFT


@pytest.mark.parametrize("status", [CANCELLED, COMPLETED])
async def test_a_closed_event_stays_closed(
    client: Client, bookings: ScriptedBookings, status: int
) -> None:
    """A cancelled event could be reopened without its bookings, or not be edited at all."""
    created = await client.create()
    closed = await client.update(created.id, status=status)
    assert closed.status == status
    assert bookings.states[created.id].status == status
    with refused("INVALID_TRANSITION"):
        await client.update(created.id, status=PUBLISHED)
    assert (await client.update(created.id, name="Over", status=status)).name == "Over"


async def test_a_draft_is_not_cancelled(client: Client) -> None:
    """An event that nobody ever saw would be shown as cancelled."""
    created = await client.create(status=DRAFT)
    with refused("INVALID_TRANSITION"):
        await client.update(created.id, status=CANCELLED)


async def test_a_deletion_cancels_bookings_and_is_final(
    client: Client, bookings: ScriptedBookings
) -> None:
    """A deleted event could still be seen, changed or booked."""
    created = await client.create()
    bookings.booked[created.id] = 12
    response = await client.delete(created.id)
    assert (response.deleted_event.event_id, response.deleted_event.cancelled_bookings) == (
        created.id,
        12,
    )
    assert bookings.states[created.id].deleted
    for attempt in (
        client.get(created.id),
        client.update(created.id, name="Rock"),
        client.delete(created.id),
    ):
        with refused("EVENT_NOT_FOUND"):
            await attempt


async def test_bookings_may_never_have_heard_of_the_event(
    client: Client, bookings: ScriptedBookings
) -> None:
    """A shrink or a deletion would fail if bookings missed the creation."""
    created = await client.create()
    bookings.states.clear()
    assert (await client.update(created.id, total_seats=1)).total_seats == 1
    bookings.states.clear()
    await client.delete(created.id)
    assert bookings.states[created.id].deleted


async def test_changes_at_the_same_time_take_turns(client: Client, database: Database) -> None:
    """One of two concurrent changes would be lost, or two get the same revision."""
    created = await client.create()
    renamed = await asyncio.gather(
        *(client.update(created.id, name=f"Name {number}") for number in range(8))
    )
    assert sorted(event.version for event in renamed) == list(range(2, 10))
    [(revision, name)] = rows(database, "SELECT revision, name FROM events")
    assert (revision, name) == (9, max(renamed, key=lambda event: event.version).name)


async def test_without_the_lock_changes_would_collide(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control of the test above: the lock makes changes take turns."""
    unlocked = changes_module.SQL["lock_event"].replace(b"FOR NO KEY UPDATE", b"")
    slowed = unlocked.replace(b"FROM events", b"FROM events, pg_sleep(0.1)")
    statements = MappingProxyType({**changes_module.SQL, "lock_event": slowed})
    created = await client.create()
    monkeypatch.setattr(changes_module, "SQL", statements)
    attempts = (client.update(created.id, name=f"Name {number}") for number in range(4))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert any(isinstance(outcome, Exception) for outcome in outcomes)


async def test_of_two_organisers_one_wins_a_version(client: Client) -> None:
    """Two organizers who read version 1 could both change it."""
    created = await client.create()
    attempts = (
        client.update(created.id, if_match='"1"', total_seats=seats) for seats in (200, 300)
    )
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, events_pb2.Event) for outcome in outcomes) == 1
