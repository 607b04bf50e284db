"""Events in rooms: which seats they have, and that a room is never taken twice."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.events.v1 import catalogue_pb2
from services.events.access import Viewer
from services.events.errors import RoomOccupied
from services.events.events import room_slots
from services.events.events.events import Events
from services.events.events.results import CreatedEvent
from services.kit.auth.authentication import ANONYMOUS
from services.kit.database.postgres import Connection, Pool
from tests.conftest import Database
from tests.services.events.cinema import EVENING, LATE, Cinema, add_cinema, renovate, slots
from tests.services.events.client import (
    CANCELLED,
    PUBLISHED,
    SERVICE,
    Client,
    change_rows,
    eventually,
    refused,
)
from tests.services.events.events.test_pending import let_time_pass, nothing_is_pending
from tests.services.events.scripted import ScriptedBookings, crash

VIEWER = Viewer(ANONYMOUS, open_access=True)
HOUR = timedelta(hours=1)


@pytest.fixture
def cinema(database: Database) -> Cinema:
    """Returns two rooms, and a movie."""
    return add_cinema(database)


def concert(room_id: int, starts_at: datetime = EVENING, **changes: Any) -> dict[str, Any]:
    """Returns the fields of an event of three hours in a room, without a number of seats."""
    return {
        "total_seats": None,
        "room_id": room_id,
        "starts_at": starts_at,
        "ends_at": starts_at + 3 * HOUR,
        **changes,
    }


async def test_an_event_has_the_plan_that_its_room_had(
    client: Client, cinema: Cinema, database: Database
) -> None:
    """New seats of a room would change the seats that people booked."""
    before = await client.create(**concert(cinema.large))
    renovate(database, cinema.large, 80)
    after = await client.create(**concert(cinema.large, LATE))
    assert (before.total_seats, after.total_seats) == (100, 80)
    again = await client.update(before.id, starts_at=EVENING - HOUR)
    assert (again.plan_id, again.total_seats) == (before.plan_id, 100)
    assert after.plan_id != before.plan_id
    state = await client.state(after.id)
    assert (state.plan_id, state.total_seats) == (after.plan_id, 80)


async def test_two_events_never_have_a_room_at_once(client: Client, cinema: Cinema) -> None:
    """Two audiences would stand at one door; one after the other is fine."""
    first = await client.create(**concert(cinema.large))
    for starts_at in (EVENING - 2 * HOUR, EVENING, EVENING + 2 * HOUR):
        with refused("ROOM_OCCUPIED"):
            await client.create(**concert(cinema.large, starts_at))
    await client.create(**concert(cinema.small))
    following = await client.create(**concert(cinema.large, LATE))
    with refused("ROOM_OCCUPIED"):
        await client.update(following.id, starts_at=LATE - HOUR)
    assert (await client.get(following.id)).version == 1
    await client.update(first.id, starts_at=EVENING - HOUR)
    assert (await client.update(following.id, starts_at=LATE - HOUR)).version == 2


async def test_a_refused_event_is_not_stored(client: Client, cinema: Cinema) -> None:
    """An event without its room would be listed, and its key be taken."""
    await client.create(**concert(cinema.large))
    for _ in range(2):
        with refused("ROOM_OCCUPIED"):
            await client.create(**concert(cinema.large, key="second"), request_id="key-1")
    assert len(await client.list()) == 1
    assert (await client.create(**concert(cinema.small, key="second"))).key == "second"


async def test_there_is_no_event_in_a_room_that_is_not_there(client: Client) -> None:
    """A mistyped number would be a defect of ours, not of the request."""
    with refused("ROOM_NOT_FOUND"):
        await client.create(**concert(77))
    plain = await client.create(starts_at=EVENING)
    with refused("ROOM_NOT_FOUND"):
        await client.update(plain.id, room_id=77, ends_at=LATE)


async def test_a_cancelled_or_deleted_event_gives_its_room_up(
    client: Client, cinema: Cinema, database: Database
) -> None:
    """The room would stay empty for an event that nobody will see."""
    cancelled = await client.create(**concert(cinema.large))
    deleted = await client.create(**concert(cinema.small))
    await client.update(cancelled.id, status=CANCELLED)
    await client.delete(deleted.id)
    assert slots(database, cinema.large) == slots(database, cinema.small) == []
    await client.create(**concert(cinema.large))
    with refused("INVALID_TRANSITION"):
        await client.update(cancelled.id, status=PUBLISHED)


async def test_an_event_moves_to_another_room_while_nothing_is_booked(
    client: Client, cinema: Cinema, bookings: ScriptedBookings, database: Database
) -> None:
    """People would have seats of a room in which the event is not."""
    event = await client.create(**concert(cinema.large))
    moved = await client.update(event.id, room_id=cinema.small)
    assert (moved.room_id, moved.total_seats) == (cinema.small, 40)
    assert bookings.states[event.id].plan_id == moved.plan_id != event.plan_id
    assert slots(database, cinema.large) == []
    bookings.booked[event.id] = 1
    with refused("INVALID_TRANSITION"):
        await client.update(event.id, room_id=cinema.large)
    assert slots(database, cinema.large) == []
    assert slots(database, cinema.small) == [(event.id, EVENING, LATE)]
    assert (await client.get(event.id)).room_id == cinema.small


async def test_both_rooms_are_kept_until_a_move_is_decided(
    client: Client, cinema: Cinema, bookings: ScriptedBookings, database: Database
) -> None:
    """The room that the event stays in, or the one that it gets, would be given away meanwhile."""
    event = await client.create(**concert(cinema.large))
    bookings.trouble = crash
    with refused("OUTCOME_UNKNOWN"):
        await client.update(event.id, room_id=cinema.small, starts_at=LATE)
    assert slots(database, cinema.large) == [(event.id, EVENING, LATE)]
    assert slots(database, cinema.small) == [(event.id, LATE, LATE + 3 * HOUR)]
    for room_id, starts_at in ((cinema.large, EVENING), (cinema.small, LATE)):
        with refused("ROOM_OCCUPIED"):
            await client.create(**concert(room_id, starts_at))
    bookings.trouble = None
    let_time_pass(database)
    await eventually(lambda: nothing_is_pending(database))
    assert slots(database, cinema.large) == []
    assert slots(database, cinema.small) == [(event.id, LATE, LATE + 3 * HOUR)]


@pytest.mark.parametrize("booked", [0, 1])
async def test_a_time_that_is_not_decided_keeps_the_room_from_first_to_last(
    client: Client, cinema: Cinema, bookings: ScriptedBookings, database: Database, booked: int
) -> None:
    """The old time would be taken by others, and could not be had back after a refusal."""
    event = await client.create(**concert(cinema.large))
    bookings.booked[event.id] = booked
    bookings.trouble = crash
    with refused("OUTCOME_UNKNOWN"):
        await client.update(event.id, starts_at=EVENING + HOUR, one_booking_per_user=True)
    assert slots(database, cinema.large) == [(event.id, EVENING, LATE + HOUR)]
    bookings.trouble = None
    let_time_pass(database)
    await eventually(lambda: nothing_is_pending(database))
    later = timedelta() if booked else HOUR
    assert slots(database, cinema.large) == [(event.id, EVENING + later, LATE + later)]


async def test_a_room_that_is_given_up_for_good_frees_its_slot(
    client: Client, cinema: Cinema, database: Database
) -> None:
    """The room would stay taken by an event that has no seats of its own any more."""
    event = await client.create(**concert(cinema.large))
    left = await client.update(event.id, room_id=None)
    assert not any(left.HasField(name) for name in ("room_id", "plan_id", "ends_at"))
    assert left.total_seats == 100
    assert slots(database, cinema.large) == []


async def test_of_sixteen_at_once_one_gets_the_room(
    events: Events, cinema: Cinema, database: Database
) -> None:
    """Two would get it, or wait for each other until the database ends one of them."""

    async def attempt(number: int) -> object:
        try:
            return await create(events, cinema.large, EVENING + number * timedelta(minutes=1))
        except RoomOccupied as refusal:
            return refusal

    outcomes = await asyncio.gather(*(attempt(number) for number in range(16)))
    assert sum(isinstance(one, RoomOccupied) for one in outcomes) == 15
    assert len(slots(database, cinema.large)) == 1


async def test_without_the_lock_of_the_room_two_wait_for_each_other(
    events: Events, pool: Pool, cinema: Cinema
) -> None:
    """The control of the test before: the constraint alone keeps them apart, but not in order."""
    ids = [await create(events, cinema.small, EVENING + day * 24 * HOUR) for day in range(2)]
    async with pool.connection() as first, pool.connection() as second:
        for connection in (first, second):
            await connection.execute("BEGIN")
            await connection.execute("SET LOCAL lock_timeout = 0")
        await settle(first, ids[0], cinema.large, EVENING)
        await settle(second, ids[1], cinema.large, LATE)
        both = [
            settle(first, ids[0], cinema.large, EVENING + HOUR),
            settle(second, ids[1], cinema.large, EVENING + HOUR),
        ]
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert any(isinstance(one, psycopg.errors.DeadlockDetected) for one in outcomes)
        for connection in (first, second):
            await connection.rollback()


async def test_without_the_constraint_a_room_is_taken_twice(
    client: Client, cinema: Cinema, database: Database
) -> None:
    """The control of all tests here: nothing but the constraint refuses."""
    change_rows(database, "ALTER TABLE room_slots DROP CONSTRAINT room_slots_no_overlap")
    for _ in range(2):
        await client.create(**concert(cinema.large))
    assert len(slots(database, cinema.large)) == 2


async def create(events: Events, room_id: int, starts_at: datetime) -> int:
    """Creates a concert without a client; returns its id."""
    fields = {"name": "Concert", "status": "PUBLISHED", **concert(room_id, starts_at)}
    del fields["total_seats"]
    created = await events.create(fields, VIEWER, None)
    assert isinstance(created, CreatedEvent)
    return created.event.id


async def settle(connection: Connection, event_id: int, room_id: int, starts_at: datetime) -> None:
    """Takes a room for three hours, without locking it."""
    slot = {"event_id": event_id, "room_id": room_id}
    times = {"starts_at": starts_at, "ends_at": starts_at + 3 * HOUR}
    await connection.execute(room_slots.SQL["settle_slots"], {**slot, **times})


async def test_tickets_show_where_an_event_is(client: Client, cinema: Cinema) -> None:
    """Visitors could go to another theater, or come at the hour of another zone."""
    placed = await client.create(**concert(cinema.large))
    open_air = await client.create(venue="Meadow", time_zone="Asia/Tokyo", starts_at=EVENING)
    plain = await client.create()
    await client.delete(plain.id)
    found = [await place(client, event.id) for event in (placed, open_air, plain)]
    ends_at = Timestamp()
    ends_at.FromDatetime(EVENING + 3 * HOUR)
    assert (found[0].starts_at, found[0].ends_at) == (placed.starts_at, ends_at)
    assert [(each.venue, each.room, each.time_zone) for each in found] == [
        ("Park", "Hall", "Europe/Berlin"),
        ("Meadow", "", "Asia/Tokyo"),
        ("", "", "UTC"),
    ]
    assert [each.HasField("ends_at") for each in found] == [True, False, False]
    assert [each.revision for each in found] == [1, 1, 2]
    with refused("EVENT_NOT_FOUND"):
        await place(client, plain.id + 1)


async def place(client: Client, event_id: int) -> catalogue_pb2.EventPlace:
    """Gets where an event is, as bookings does."""
    request = catalogue_pb2.GetEventPlaceRequest(event_id=event_id)
    response: catalogue_pb2.GetEventPlaceResponse = await client.call(
        client.catalogue.GetEventPlace, request, SERVICE
    )
    return response.place
