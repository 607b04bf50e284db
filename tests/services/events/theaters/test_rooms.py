import asyncio
from functools import partial
from typing import Any

import pytest

from boxoffice.events.v1 import catalogue_pb2, seat_plans_pb2
from services.events.events import room_slots
from services.events.theaters import rooms
from services.events.theaters.rooms import Change, PlanContent
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.pools import PATIENT, patient_pool
from tests.services.events.client import (
    SERVICE,
    Client,
    eventually,
    refused,
    somebody_waits,
)
from tests.services.events.client import rows as read
from tests.services.events.theaters import halls

SEATS = [{"row": "A", "number": 1}, {"row": "A", "number": 2, "type": "VIP"}]


@pytest.fixture
async def theater_id(client: Client) -> int:
    """Creates a theater."""
    return (await halls.theater(client)).id


async def test_a_room_shows_its_seats(client: Client, theater_id: int) -> None:
    """A client could not draw the room, or would hold another seat than it drew."""
    response = await halls.respond(
        client,
        theater_id,
        name="Hall",
        seats=[
            {
                "section": "Left",
                "row": "A",
                "number": 7,
                "label": "7a",
                "accessible": True,
                "companion": True,
                "aisle_after": True,
                "x": -10,
                "y": 20,
            }
        ],
        rows=[{"row": "B", "seats": 2, "first_number": 4, "types": {"VIP": {"numbers": [5]}}}],
        areas=[{"section": "Floor", "places": 100, "type": "DELUXE"}],
    )
    room = response.room
    usual = {"accessible": False, "companion": False, "aisle_after": False}
    marked = {"accessible": True, "companion": True, "aisle_after": True}
    row_a = {"section": "Left", "row": "A", "y": 20, **marked}
    row_b = {"section": "", "row": "B", "y": 140, **usual}
    shown = halls.body(response.body)
    assert shown.pop("created_at").endswith("Z")
    assert shown.pop("updated_at").endswith("Z")
    assert shown == {
        "id": room.id,
        "theater_id": theater_id,
        "name": "Hall",
        "capacity": 103,
        "plan_id": room.plan_id,
        "focal_point": {"x": 45, "y": 100},
        "seats": [
            {"seat_id": 1, "number": 7, "label": "7a", "type": "REGULAR", "x": -10, **row_a},
            {"seat_id": 2, "number": 4, "label": "4", "type": "REGULAR", "x": 0, **row_b},
            {"seat_id": 3, "number": 5, "label": "5", "type": "VIP", "x": 100, **row_b},
        ],
        "areas": [{"section": "Floor", "places": 100, "type": "DELUXE"}],
        "version": 1,
    }
    got = await halls.get(client, room.id)
    assert (got.room, got.body, got.version) == (room, response.body, 1)


async def test_a_plan_shows_the_seats_of_its_room(client: Client, theater_id: int) -> None:
    """A seat map could not be drawn from the plan that it names."""
    response = await halls.respond(client, theater_id)
    shown = halls.body(response.body)
    plan = await halls.plan(client, response.room.plan_id)
    assert plan == {
        "id": response.room.plan_id,
        "room_id": response.room.id,
        "capacity": 5,
        **{name: shown[name] for name in ("focal_point", "seats", "areas")},
    }


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"rows": []}, "room.seats"),
        ({"seats": SEATS + SEATS[:1], "rows": []}, "room.seats[2].number"),
        ({"seats": [{"row": "", "number": 1}]}, "room.seats[0].row"),
        ({"seats": [{"row": "A"}]}, "room.seats[0].number"),
        ({"rows": [{"row": "A", "seats": 1, "type": "GOLD"}]}, "room.rows[0].type"),
        (
            {"rows": [{"row": "A", "seats": 1, "types": {"GOLD": {"numbers": [1]}}}]},
            "room.rows[0].types.GOLD",
        ),
        ({"areas": [{"section": "Floor", "places": 0}]}, "room.areas[0].places"),
        ({"seats": [{"row": "A", "number": n} for n in range(5_001)]}, "room.seats"),
    ],
)
async def test_seats_that_no_room_has_are_refused(
    client: Client, theater_id: int, fields: dict[str, Any], path: str
) -> None:
    """The refusal would not name the seat that an admin has to mend."""
    with refused("VALIDATION_ERROR") as refusal:
        await halls.respond(client, theater_id, **fields)
    assert refusal.paths == [path]


async def test_other_seats_are_another_plan(client: Client, theater_id: int) -> None:
    """Seats that people hold would move to another place in the room."""
    room = await halls.room(client, theater_id)
    before = await halls.plan(client, room.plan_id)
    changed = (await halls.replace(client, room.id, seats=SEATS)).room
    assert (changed.capacity, changed.version) == (2, 2)
    assert changed.plan_id != room.plan_id
    assert await halls.plan(client, room.plan_id) == before


async def test_the_same_seats_are_the_same_plan(
    client: Client, theater_id: int, database: Database
) -> None:
    """A room that is sent again would fill the table, and every copy of it in bookings."""
    room = await halls.room(client, theater_id)
    other = (await halls.replace(client, room.id, seats=SEATS)).room
    again = (await halls.replace(client, room.id, rows=halls.ROWS)).room
    assert (again.plan_id, again.version) == (room.plan_id, 3)
    one_by_one = [{"row": seat["row"], "number": seat["number"]} for seat in SEATS]
    one_by_one[1]["type"] = "VIP"
    spelled = (await halls.replace(client, room.id, seats=one_by_one, rows=[], areas=[])).room
    assert spelled.plan_id == other.plan_id
    unchanged = (await halls.replace(client, room.id, seats=SEATS)).room
    assert unchanged.version == spelled.version
    assert read(database, "SELECT count(*) FROM seat_plans") == [(2,)]


async def test_a_focal_point_moves_without_the_seats(client: Client, theater_id: int) -> None:
    """An admin who moves the focal point would have to send 500 seats again."""
    created = halls.body((await halls.respond(client, theater_id)).body)
    moved = await halls.replace(client, created["id"], focal_point={"x": 7, "y": 8})
    shown = halls.body(moved.body)
    assert shown["focal_point"] == {"x": 7, "y": 8}
    assert shown["seats"] == created["seats"]
    back = await halls.replace(client, created["id"], focal_point=None)
    assert back.room.plan_id == created["plan_id"]


async def test_a_room_can_be_renamed(client: Client, theater_id: int) -> None:
    """A new name would cost a new plan."""
    room = await halls.room(client, theater_id)
    renamed = (await halls.replace(client, room.id, name="Blue Hall")).room
    assert (renamed.name, renamed.plan_id) == ("Blue Hall", room.plan_id)
    with refused("VALIDATION_ERROR") as refusal:
        await halls.replace(client, room.id, name=None)
    assert refusal.paths == ["room.name"]


async def test_a_version_that_is_gone_is_refused(client: Client, theater_id: int) -> None:
    """Of two admins who draw a room, the second would undo what the first drew."""
    room = await halls.room(client, theater_id)
    await halls.replace(client, room.id, if_match='"1"', seats=SEATS)
    with refused("VERSION_MISMATCH") as refusal:
        await halls.replace(client, room.id, if_match='"1"', seats=SEATS[:1])
    assert refusal.metadata["version"] == "2"


async def test_changes_in_parallel_are_made_one_after_another(
    client: Client, theater_id: int
) -> None:
    """A change that waited would not find the room, or go by a version that is gone."""
    room = await halls.room(client, theater_id)
    drawn = [[{"row": "A", "seats": 10 + number}] for number in range(8)]
    changes = [halls.replace(client, room.id, rows=rows) for rows in drawn]
    versions = [response.version for response in await asyncio.gather(*changes)]
    assert sorted(versions) == [*range(2, 10)]


async def test_of_changes_to_one_version_one_is_made(client: Client, theater_id: int) -> None:
    """Two admins who edit the same drawing would both be told that theirs is the room."""
    room = await halls.room(client, theater_id)
    drawn = [[{"row": "A", "seats": 10 + number}] for number in range(8)]
    changes = [halls.replace(client, room.id, rows=rows, if_match='"1"') for rows in drawn]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_an_event_gets_the_seats_that_its_room_is_given_meanwhile(
    client: Client, theater_id: int, database: Database
) -> None:
    """The room would not be found, as its plan is another one once its lock is free."""
    room = await halls.room(client, theater_id)
    content = PlanContent(7, b"")
    change = Change(room.id, None, lambda _: content, versions=None, key=None)
    async with patient_pool(database.events_dsn, schema="events", size=2, session=PATIENT) as pool:
        async with pool.connection() as connection, connection.transaction():
            changed = await rooms._change(connection, change=change)
            locking = asyncio.create_task(lock(pool, room.id))
            await eventually(partial(somebody_waits, database))
        found = await locking
    assert (found.plan_id, found.seat_count) == (changed.plan_id, 7)


async def lock(pool: Pool, room_id: int) -> room_slots.Room:
    """Locks a room as an event does that is to have it."""
    async with pool.connection() as connection, connection.transaction():
        return (await room_slots.lock_rooms(connection, [room_id]))[room_id]


async def test_a_key_makes_one_room(client: Client, theater_id: int, database: Database) -> None:
    """A client that repeats its request after a timeout would make a second room."""
    first = await halls.respond(client, theater_id, request_id="k")
    again = await halls.respond(client, theater_id, request_id="k")
    assert (again.replayed, again.room, again.body) == (True, first.room, first.body)
    assert read(database, "SELECT count(*) FROM rooms") == [(1,)]
    await halls.replace(client, first.room.id, request_id="p", seats=SEATS)
    await halls.replace(client, first.room.id, rows=halls.ROWS)
    replayed = await halls.replace(client, first.room.id, request_id="p", seats=SEATS)
    assert (replayed.replayed, halls.body(replayed.body)["capacity"]) == (True, 2)


async def test_unknown_ids_are_not_found(client: Client, theater_id: int) -> None:
    """A wrong number could be answered as a defect."""
    with refused("THEATER_NOT_FOUND"):
        await halls.room(client, theater_id + 1)
    with refused("ROOM_NOT_FOUND"):
        await halls.get(client, 9)
    with refused("ROOM_NOT_FOUND"):
        await halls.replace(client, 9, seats=SEATS)
    with refused("PLAN_NOT_FOUND"):
        await halls.plan(client, 9)


async def test_services_read_a_plan_in_columns(client: Client, theater_id: int) -> None:
    """Bookings could not tell which seats are next to each other."""
    room = await halls.room(
        client,
        theater_id,
        rows=[{"row": "A", "seats": 3, "first_number": 5, "aisles_after": [6], "accessible": [7]}],
        areas=[{"section": "Floor", "places": 9}],
        focal_point={"x": -1, "y": 2},
    )
    request = catalogue_pb2.GetSeatPlanRequest(plan_id=room.plan_id)
    response = await client.call(client.catalogue.GetSeatPlan, request, SERVICE)
    assert response.plan == seat_plans_pb2.SeatPlan(
        id=room.plan_id,
        rows=[
            seat_plans_pb2.SeatRow(
                row="A",
                type="REGULAR",
                numbers=[5, 6, 7],
                xs=[0, 100, 300],
                ys=[0, 0, 0],
                accessible=[3],
                aisles_after=[2],
            )
        ],
        areas=[seat_plans_pb2.SeatArea(section="Floor", places=9, type="REGULAR")],
        focal_point=seat_plans_pb2.FocalPoint(x=-1, y=2),
    )
