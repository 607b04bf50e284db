from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.accounts import add_accounts
from tests.e2e.client import named, new_user, open_client, refusal
from tests.e2e.system import System

ROOM = {
    "name": "Hall 1",
    "focal_point": {"x": 1200, "y": 1600},
    "seats": [{"row": "C", "number": 7, "type": "VIP", "aisle_after": True, "x": 600, "y": 240}],
    "rows": [
        {
            "section": "Stalls",
            "row": "D",
            "seats": 25,
            "types": {"DELUXE": [1, 25]},
            "accessible": [3],
            "companion": [4],
            "aisles_after": [12],
        }
    ],
    "areas": [{"section": "Floor", "places": 5000, "type": "REGULAR"}],
}


@pytest.fixture
def admin(system: System) -> Iterator[httpx.Client]:
    """Returns a client with the token of an admin."""
    person = add_accounts(system.database, {"admin": "ADMIN"})["admin"]
    with open_client(system.url) as opened:
        opened.headers["authorization"] = person.authorization
        yield opened


@pytest.fixture
def theater(admin: httpx.Client) -> dict[str, Any]:
    """Creates a theater."""
    body = {"name": "Park", "location": "Berlin", "time_zone": "Europe/Berlin"}
    response = admin.post("/api/theaters", json=body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/api/theaters/{made['id']}"
    assert made == {
        **{name: made[name] for name in ("id", "created_at", "updated_at")},
        **body,
        "rooms": [],
        "version": 1,
    }
    return made


def create(admin: httpx.Client, theater: dict[str, Any], **fields: Any) -> httpx.Response:
    """Creates a room."""
    response = admin.post(f"/api/theaters/{theater['id']}/rooms", json=ROOM | fields)
    assert response.status_code == 201, response.text
    return response


def test_a_room_is_drawn_and_read(
    admin: httpx.Client, client: httpx.Client, theater: dict[str, Any]
) -> None:
    """Seats could be lost between JSON and the plan, or the room be without an address."""
    response = create(admin, theater)
    room, path = response.json(), response.headers["location"]
    assert path == f"/api/rooms/{room['id']}"
    assert (room["theater_id"], room["capacity"], len(room["seats"])) == (theater["id"], 5026, 26)
    assert room["seats"][0] | {"section": "", "accessible": False} == room["seats"][0]
    types = [seat["type"] for seat in room["seats"]]
    assert (types[0], types[1], types[2], types[25]) == ("VIP", "DELUXE", "REGULAR", "DELUXE")
    found = client.get(path)
    assert found.json() == room
    known = {"if-none-match": found.headers["etag"]}
    assert client.get(path, headers=known).status_code == 304
    shown = client.get(f"/api/theaters/{theater['id']}").json()
    [listed] = [one for one in client.get("/api/theaters").json() if one["id"] == theater["id"]]
    summary = {name: room[name] for name in ("id", "name", "capacity", "plan_id")}
    assert shown["rooms"] == listed["rooms"] == [summary]


def test_a_plan_may_be_kept_for_ever(
    admin: httpx.Client, client: httpx.Client, theater: dict[str, Any]
) -> None:
    """Every seat map would ask for the plan of its room again."""
    room = create(admin, theater).json()
    response = client.get(f"/api/seat-plans/{room['plan_id']}")
    assert response.json()["seats"] == room["seats"]
    assert response.headers["cache-control"] == "public, max-age=31536000"


def test_other_seats_are_another_plan(
    admin: httpx.Client, client: httpx.Client, theater: dict[str, Any]
) -> None:
    """A screening would have other seats than those that it sold."""
    room = create(admin, theater, rows=[], areas=[]).json()
    path, key = f"/api/rooms/{room['id']}/seats", {"idempotency-key": new_user()}
    edited = room | {"seats": [*room["seats"], {"row": "C", "number": 8}]}
    response = admin.put(path, json=edited, headers=key | {"if-match": '"1"'})
    changed = response.json()
    assert (response.status_code, changed["capacity"], changed["version"]) == (200, 2, 2)
    assert changed["seats"][1]["x"] == 800
    assert changed["plan_id"] != room["plan_id"]
    again = admin.put(path, json=edited, headers=key | {"if-match": '"1"'})
    assert (again.content, again.headers["idempotent-replayed"]) == (response.content, "true")
    late = admin.put(path, json=edited, headers={"if-match": '"1"'})
    assert refusal(late) == (412, "version_mismatch")
    kept = client.get(f"/api/seat-plans/{room['plan_id']}").json()
    assert len(kept["seats"]) == 1


def test_large_rooms_are_described_seat_by_seat_or_in_rows(
    admin: httpx.Client, client: httpx.Client, theater: dict[str, Any]
) -> None:
    """A limit of bodies or messages on the way could keep a room out that the contract admits."""
    seats = [
        {"section": "Stalls", "row": f"{row}", "number": number, "type": "REGULAR", "x": 100_000}
        for row in range(100)
        for number in range(50)
    ]
    room = create(admin, theater, seats=seats, rows=[], areas=[]).json()
    assert room["capacity"] == len(room["seats"]) == 5_000
    rows = [{"row": f"{row}", "seats": 1_000} for row in range(100)]
    path = f"/api/rooms/{room['id']}"
    changed = admin.put(f"{path}/seats", json={"rows": rows}).json()
    assert changed["capacity"] == len(changed["seats"]) == 100_000
    assert client.get(path).json() == changed
    more = [*seats, {"row": "Z", "number": 1}]
    assert named(admin.put(f"{path}/seats", json={"seats": more})) == {"seats"}


def test_mistakes_in_a_room_are_named(admin: httpx.Client, theater: dict[str, Any]) -> None:
    """An admin could not find the seat among hundreds."""
    seats = [{"row": "A", "number": 1}, {"row": "B", "number": 1}, {"row": "A", "number": 2}]
    path = f"/api/theaters/{theater['id']}/rooms"
    rows = [{"row": "B", "seats": 2, "types": {"VIP": [3]}}]
    wrong = admin.post(path, json={"name": "Hall", "seats": seats, "rows": rows})
    assert named(wrong) == {"seats[2].row", "rows[0].row", "rows[0].types.VIP[0]"}
    misspelled = admin.post(path, json={"name": "Hall", "seats": [{"row": "A", "numer": 1}]})
    assert named(misspelled) == {"seats[0].numer", "seats[0].number"}


def test_unknown_ids_are_not_found(admin: httpx.Client, client: httpx.Client) -> None:
    """A wrong number could be answered as a defect."""
    number = 2**62
    missing = {
        f"/api/theaters/{number}": "theater_not_found",
        f"/api/rooms/{number}": "room_not_found",
        f"/api/seat-plans/{number}": "plan_not_found",
    }
    for path, code in missing.items():
        assert refusal(client.get(path)) == (404, code)
    nowhere = admin.post(f"/api/theaters/{number}/rooms", json=ROOM)
    assert refusal(nowhere) == (404, "theater_not_found")
