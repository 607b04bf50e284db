"""Events whose seats cost something, as clients of HTTP see them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.e2e.client import create_event, new_key, refusal, reserve

PRICE = {"amount_minor": 1250, "currency": "EUR"}


def priced(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    """Creates an event whose seats cost something."""
    return create_event(client, key=new_key(), price=PRICE, **fields)


def expect_ten_minutes(created_at: str, expires_at: str) -> None:
    """Fails unless seats are held for ten minutes."""
    begins, ends = datetime.fromisoformat(created_at), datetime.fromisoformat(expires_at)
    assert ends - begins == timedelta(minutes=10)


def test_a_reservation_says_until_when_it_has_to_be_paid(client: httpx.Client) -> None:
    """A client would tell its user that an unpaid seat is theirs."""
    event = priced(client)
    made = reserve(client, event["id"], "ada")
    reservation = made.json()
    assert made.status_code == 201
    assert reservation == {
        "booking_id": reservation["booking_id"],
        "event_id": event["id"],
        "user_id": "ada",
        "created_at": reservation["created_at"],
        "status": "HELD",
        "expires_at": reservation["expires_at"],
    }
    expect_ten_minutes(reservation["created_at"], reservation["expires_at"])
    left = client.get(f"/api/events/{event['id']}/availability").json()
    assert (left["booked"], left["left"]) == (1, event["total_seats"] - 1)
    assert refusal(reserve(client, event["id"], "ada")) == (409, "already_booked")


def test_a_booking_by_key_is_held(client: httpx.Client) -> None:
    """A client would tell its user that an unpaid seat is booked."""
    event = priced(client)
    key = event["key"]
    made = client.post("/book", json={"userId": "ada", "eventId": key})
    held = made.json()
    assert made.status_code == 201
    assert held == {
        "status": "held",
        "event_id": key,
        "user_id": "ada",
        "seat_count": 1,
        "booking_id": held["booking_id"],
        "position": None,
        "expires_at": held["expires_at"],
    }
    standing = client.get(f"/status/{key}", params={"userId": "ada"}).json()["you"]
    assert standing == {
        "status": "held",
        "position": None,
        "offer_expires_at": None,
        "expires_at": held["expires_at"],
    }
    given = client.post("/cancel", json={"userId": "ada", "eventId": key}).json()
    assert given == {"status": "cancelled", "promoted": False}


def test_answers_for_free_seats_have_no_further_field(client: httpx.Client) -> None:
    """Clients that compare whole bodies would break although nothing changes for them."""
    event = create_event(client, key=new_key(), price={"amount_minor": 0, "currency": "EUR"})
    assert set(reserve(client, event["id"]).json()) == {
        "booking_id",
        "event_id",
        "user_id",
        "created_at",
    }
    booked = client.post("/book", json={"userId": "bob", "eventId": event["key"]}).json()
    assert booked["status"] == "booked"
    standing = client.get(f"/status/{event['key']}", params={"userId": "bob"}).json()["you"]
    assert standing["status"] == "booked"
    assert "expires_at" not in booked | standing


def test_the_end_of_refunds_is_kept(client: httpx.Client) -> None:
    """An organizer's rule on refunds would be lost, or not be taken back."""
    until, starts_at = "2099-10-14T00:00:00.000Z", "2099-10-13T12:00:00.000Z"
    event = priced(client, starts_at=starts_at, refund_until=until)
    path = f"/events/{event['id']}"
    assert client.get(path).json()["refund_until"] == until
    wrong: Mapping[str, Any] = {"refund_until": "tomorrow"}
    assert refusal(client.patch(path, json=wrong)) == (422, "validation_error")
    assert "refund_until" not in client.patch(path, json={"refund_until": None}).json()
