"""Bookings of several seats, by their references, as clients of HTTP see them."""

import httpx
import pytest

from tests.e2e.accounts import add_accounts
from tests.e2e.client import create_event, named, new_key, refusal
from tests.e2e.system import System

Headers = dict[str, str]


@pytest.fixture(scope="module")
def people(system: System) -> dict[str, Headers]:
    """Returns the `Authorization` headers of two users."""
    met = add_accounts(system.database, {"ada": "USER", "bob": "USER"})
    return {name: {"authorization": person.authorization} for name, person in met.items()}


def book(client: httpx.Client, event_id: int, seats: object, headers: Headers) -> httpx.Response:
    """Requests seats."""
    return client.post("/bookings", json={"eventId": event_id, "seatCount": seats}, headers=headers)


def test_the_life_of_a_booking(client: httpx.Client, people: dict[str, Headers]) -> None:
    """A status or a body on the way from booking to cancellation could change."""
    ada, bob = people["ada"], people["bob"]
    price = {"amount_minor": 1250, "currency": "EUR"}
    event = create_event(client, total_seats=4, price=price)
    made = book(client, event["id"], 3, ada)
    assert made.status_code == 201
    booking = made.json()
    path = f"/bookings/{booking['reference']}"
    assert made.headers["location"] == path
    assert (booking["status"], booking["seat_count"]) == ("HELD", 3)
    assert booking["price"] == {"amount_minor": 3750, "currency": "EUR"}
    assert booking["event"] == {"id": event["id"], "name": "Concert", "starts_at": None}
    assert client.get(path, headers=ada).json() == booking
    for other in (bob, {}):
        assert refusal(client.get(path, headers=other)) == (404, "booking_not_found")
        assert refusal(client.delete(path, headers=other)) == (404, "booking_not_found")
    assert refusal(book(client, event["id"], 2, bob)) == (409, "sold_out")
    cancelled = client.delete(path, headers=ada)
    assert cancelled.status_code == 200
    when = cancelled.json()["cancelled_at"]
    assert cancelled.json() == booking | {"status": "CANCELLED", "cancelled_at": when}
    assert when is not None
    assert refusal(client.delete(path, headers=ada)) == (409, "already_cancelled")
    assert book(client, event["id"], 4, bob).status_code == 201


def test_a_key_belongs_to_its_caller(client: httpx.Client, people: dict[str, Headers]) -> None:
    """A caller could read or repeat a request by guessing another caller's key."""
    event, key = create_event(client, total_seats=4)["id"], {"Idempotency-Key": new_key()}
    made = [
        book(client, event, seats, people[who] | key) for who, seats in (("ada", 1), ("bob", 2))
    ]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json()["user_id"] != made[1].json()["user_id"]
    path = f"/bookings/{made[0].json()['reference']}"
    cancelled = client.delete(path, headers=people["ada"] | key)
    assert cancelled.status_code == 200
    other = client.delete(path, headers=people["bob"] | key)
    assert refusal(other) == (404, "booking_not_found")
    assert "idempotent-replayed" not in other.headers


def test_own_bookings_are_paged_by_number(client: httpx.Client, people: dict[str, Headers]) -> None:
    """A page could have a wrong order, total or filter."""
    bob = people["bob"]
    total = client.get("/bookings", headers=bob).json()["meta"]["total"]
    event = create_event(client, total_seats=9)
    made = [book(client, event["id"], 1, bob).json()["id"] for _ in range(3)]
    listed = client.get("/bookings", params={"page": 1, "limit": 2}, headers=bob).json()
    assert [booking["id"] for booking in listed["data"]] == made[:0:-1]
    assert listed["meta"] == {
        "total": total + 3,
        "page": 1,
        "limit": 2,
        "total_pages": -(-(total + 3) // 2),
    }
    expired = client.get("/bookings", params={"status": "EXPIRED"}, headers=bob).json()
    assert (expired["data"], expired["meta"]["total"]) == ([], 0)
    assert refusal(client.get("/bookings")) == (401, "unauthenticated")


@pytest.mark.parametrize("seats", [0, 21, -1, "2", 2.0, True, None])
def test_a_booking_has_one_to_twenty_seats(
    client: httpx.Client, people: dict[str, Headers], seats: object
) -> None:
    """A number of seats outside of 1 to 20, or no number, could be accepted."""
    assert named(book(client, 1, seats, people["ada"])) == {"seatCount"}


def test_a_repeated_request_is_answered_again(
    client: httpx.Client, people: dict[str, Headers]
) -> None:
    """A repeated request could get another response after the booking was cancelled."""
    event = create_event(client)
    keyed = {**people["ada"], "Idempotency-Key": new_key()}
    first = book(client, event["id"], 2, keyed)
    path = first.headers["location"]
    cancelled = client.delete(path, headers=keyed)
    for again, before in (
        (book(client, event["id"], 2, keyed), first),
        (client.delete(path, headers=keyed), cancelled),
    ):
        assert (again.status_code, again.content) == (before.status_code, before.content)
        assert again.headers["idempotent-replayed"] == "true"
    reused = book(client, event["id"], 1, keyed)
    assert refusal(reused) == (422, "idempotency_key_reused")
    others = {**people["bob"], "Idempotency-Key": keyed["Idempotency-Key"]}
    assert book(client, event["id"], 1, others).status_code == 201


def test_an_unreadable_reference_is_named(client: httpx.Client, people: dict[str, Headers]) -> None:
    """A malformed reference could be a 404, or a 500."""
    assert named(client.get("/bookings/17", headers=people["ada"])) == {"reference"}
