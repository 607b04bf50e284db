from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.accounts import add_accounts
from tests.e2e.client import named, new_user, open_client, refusal
from tests.e2e.system import System

STARTS, ENDS = "2030-05-01T18:00:00.000Z", "2030-05-01T20:13:00.000Z"
EUROS = {"amount_minor": 900, "currency": "EUR"}
VIP = {"VIP": {"amount_minor": 1500, "currency": "EUR"}}


@pytest.fixture
def admin(system: System) -> Iterator[httpx.Client]:
    """Returns a client with the token of an admin."""
    person = add_accounts(system.database, {"admin": "ADMIN"})["admin"]
    with open_client(system.url) as opened:
        opened.headers["authorization"] = person.authorization
        yield opened


@pytest.fixture
def hall(admin: httpx.Client) -> dict[str, Any]:
    """Creates a movie and a room of twelve seats; returns what to show where."""
    theater = _made(admin, "/api/theaters", {"name": "Park", "time_zone": "Europe/Berlin"})
    room = {"name": "Hall 1", "rows": [{"row": "A", "seats": 12, "types": {"VIP": [6, 7]}}]}
    return {
        "movie_id": _made(admin, "/api/movies", {"title": "Storm", "duration": 118})["id"],
        "room_id": _made(admin, f"/api/theaters/{theater['id']}/rooms", room)["id"],
        "theater_id": theater["id"],
    }


def screening(admin: httpx.Client, hall: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Creates a screening."""
    shown = {"movie_id": hall["movie_id"], "theater_room_id": hall["room_id"]}
    return _made(admin, "/api/screenings", {**shown, "start_time": STARTS, **fields})


def test_a_screening_is_created_and_read(
    admin: httpx.Client, client: httpx.Client, hall: dict[str, Any]
) -> None:
    """A field could be lost between JSON, the database and bookings."""
    rules = {"orphan_rule": True, "refund_until": "2030-04-30T12:00:00.000Z"}
    made = screening(admin, hall, price=EUROS, seat_type_prices=VIP, **rules)
    path = f"/api/screenings/{made['id']}"
    assert made == {
        **hall,
        **{name: made[name] for name in ("id", "plan_id", "created_at", "updated_at")},
        "starts_at": STARTS,
        "ends_at": ENDS,
        "price": EUROS,
        "seat_type_prices": VIP,
        **rules,
        "status": "PUBLISHED",
        "total_seats": 12,
        "available_seats": 12,
        "version": 1,
    }
    found = client.get(path)
    assert (found.json(), found.headers["etag"]) == (made, '"1"')
    assert client.get(path, headers={"if-none-match": '"1"'}).status_code == 304
    event = client.get(f"/events/{made['id']}").json()
    assert (event["name"], event["room_id"], event["total_seats"]) == ("Storm", hall["room_id"], 12)
    assert refusal(client.get("/api/screenings/999999")) == (404, "screening_not_found")


def test_screenings_are_listed_by_day_and_place(
    admin: httpx.Client, client: httpx.Client, hall: dict[str, Any]
) -> None:
    """The theater's midnight, which is 22:00 in UTC, could be overlooked."""
    evening = screening(admin, hall)
    night = screening(admin, hall, start_time="2030-05-01T22:30:00Z")
    asked = {"theater_id": hall["theater_id"]}

    def ids(**wanted: Any) -> list[int]:
        answer = client.get("/api/screenings", params={**asked, **wanted}).json()
        return [shown["id"] for shown in answer]

    assert ids() == [evening["id"], night["id"]]
    assert ids(date="2030-05-01", movie_id=hall["movie_id"]) == [evening["id"]]
    assert ids(date="2030-05-02", room_id=hall["room_id"]) == [night["id"]]
    first = client.get("/api/screenings", params={**asked, "page_size": 1})
    second = client.get(first.links["next"]["url"])
    assert [shown["id"] for shown in second.json()] == [night["id"]]
    numbered = client.get("/api/screenings", params={**asked, "page": 2, "limit": 1}).json()
    assert [shown["id"] for shown in numbered["data"]] == [night["id"]]
    assert numbered["meta"] == {"total": 2, "page": 2, "limit": 1, "total_pages": 2}
    assert named(client.get("/api/screenings", params={"date": "2030-02-30"})) == {"date"}


def test_a_room_shows_one_screening_at_a_time(admin: httpx.Client, hall: dict[str, Any]) -> None:
    """A refusal could be an error that no client knows."""
    first = screening(admin, hall)
    other = {**hall, "starts_at": "2030-05-01T20:12:59Z"}
    del other["theater_id"]
    key = {"idempotency-key": new_user()}
    for _ in range(2):
        occupied = admin.post("/api/screenings", json=other, headers=key)
        assert refusal(occupied) == (409, "room_occupied")
    second = screening(admin, hall, start_time=ENDS)
    path = f"/api/screenings/{second['id']}"
    assert refusal(admin.patch(path, json={"starts_at": STARTS})) == (409, "room_occupied")
    assert admin.delete(f"/api/screenings/{first['id']}").json() == {
        "screening_id": first["id"],
        "cancelled_bookings": 0,
    }
    assert admin.patch(path, json={"starts_at": STARTS}).json()["ends_at"] == ENDS


def test_a_resource_that_was_read_can_be_edited_and_put(
    admin: httpx.Client, hall: dict[str, Any]
) -> None:
    """A client would have to know which fields it may send back."""
    made = screening(admin, hall)
    path = f"/api/screenings/{made['id']}"
    edited = made | {"price": EUROS, "seat_type_prices": VIP}
    response = admin.put(path, json=edited, headers={"if-match": '"1"'})
    changed = {"version": 2, "updated_at": response.json()["updated_at"]}
    assert response.json() == edited | changed
    late = admin.put(path, json={"orphan_rule": True}, headers={"if-match": '"1"'})
    assert refusal(late) == (412, "version_mismatch")
    assert named(admin.patch(path, json={"start_time": None})) == {"start_time"}
    assert named(admin.patch(path, json={"end_time": STARTS})) == {"end_time"}
    dollars = {"VIP": {"amount_minor": 1, "currency": "USD"}}
    assert named(admin.patch(path, json={"seat_type_prices": dollars})) == {"seat_type_prices"}
    unknown = {"seat_type_prices": {"ROYAL": EUROS}}
    assert named(admin.patch(path, json=unknown)) == {"seat_type_prices.ROYAL"}


def test_the_room_stays_once_somebody_has_booked(
    admin: httpx.Client, client: httpx.Client, hall: dict[str, Any]
) -> None:
    """A booked seat could be one of another room; the time may change all the same."""
    made = screening(admin, hall)
    path = f"/api/screenings/{made['id']}"
    rooms = f"/api/theaters/{hall['theater_id']}/rooms"
    other = _made(admin, rooms, {"name": "Hall 2", "rows": [{"row": "A", "seats": 1}]})
    moved = admin.patch(path, json={"room_id": other["id"]}).json()
    assert (moved["plan_id"], moved["total_seats"]) == (other["plan_id"], 1)
    booked = client.post(
        "/api/bookings/reserve", json={"event_id": made["id"], "user_id": new_user()}
    )
    assert booked.status_code == 201, booked.text
    back = admin.patch(path, json={"room_id": hall["room_id"]})
    assert refusal(back) == (409, "invalid_transition")
    later = admin.patch(path, json={"starts_at": ENDS})
    assert (later.status_code, later.json()["available_seats"]) == (200, 0)
    gone = admin.delete(path).json()
    assert gone == {"screening_id": made["id"], "cancelled_bookings": 1}


def _made(admin: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = admin.post(path, json=body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    assert response.headers["location"].endswith(f"/{made['id']}")
    return made
