import re
from typing import Any

import httpx
import pytest

from tests.e2e.client import create_event, named, new_key, new_user, refusal, reserve

RESERVE = "/api/bookings/reserve"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
PAST, FUTURE = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


def revision(response: httpx.Response) -> int:
    """Returns the inventory revision of a response."""
    return int(response.headers["x-inventory-revision"])


def test_a_reservation_has_exactly_four_fields(client: httpx.Client) -> None:
    """A further field would break clients that compare the whole body."""
    event = create_event(client)
    response = reserve(client, event["id"])
    booked = response.json()
    assert response.status_code == 201
    assert booked == {
        "booking_id": booked["booking_id"],
        "event_id": event["id"],
        "user_id": "ada",
        "created_at": booked["created_at"],
    }
    assert type(booked["booking_id"]) is int
    assert MOMENT.fullmatch(booked["created_at"])
    assert response.headers["content-type"] == "application/json"
    assert response.headers["location"] == f"/api/bookings/booking/{booked['booking_id']}"
    assert "idempotent-replayed" not in response.headers


def test_camel_case_is_accepted(client: httpx.Client) -> None:
    """A field in camelCase could be refused."""
    event = create_event(client)
    response = client.post(RESERVE, json={"eventId": event["id"], "userId": "ada"})
    assert response.status_code == 201
    assert response.json()["user_id"] == "ada"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"user_id": "ada"}, {"event_id"}),
        ({"event_id": 1}, {"user_id"}),
        ({}, {"event_id", "user_id"}),
        ({"event_id": None, "user_id": None}, {"event_id", "user_id"}),
        ({"event_id": "1", "user_id": "ada"}, {"event_id"}),
        ({"event_id": True, "user_id": "ada"}, {"event_id"}),
        ({"event_id": 1.0, "user_id": "ada"}, {"event_id"}),
        ({"event_id": [1], "user_id": "ada"}, {"event_id"}),
        ({"event_id": {"id": 1}, "user_id": "ada"}, {"event_id"}),
        ({"event_id": 0, "user_id": "ada"}, {"event_id"}),
        ({"event_id": -1, "user_id": "ada"}, {"event_id"}),
        ({"event_id": 2**63, "user_id": "ada"}, {"event_id"}),
        ({"event_id": 1, "user_id": ""}, {"user_id"}),
        ({"event_id": 1, "user_id": "a" * 129}, {"user_id"}),
        ({"event_id": 1, "user_id": 7}, {"user_id"}),
        ({"event_id": 1, "user_id": "a\u0000b"}, {"user_id"}),
        ({"event_id": 1, "user_id": "a\u200bb"}, {"user_id"}),
        ({"event_id": 1, "user_id": "ada", "seats": 2}, {"seats"}),
        ({"event_id": 1, "eventId": 1, "user_id": "ada"}, {"eventId"}),
        ({"event_id": 1, "user_id": "ada", "request_id": "k"}, {"request_id"}),
    ],
)
def test_wrong_fields_are_named(client: httpx.Client, body: Any, wrong: set[str]) -> None:
    """A wrong value could be coerced, or only the first missing field be named."""
    assert named(client.post(RESERVE, json=body)) == wrong


def test_a_repeated_key_is_refused(client: httpx.Client) -> None:
    """A JSON key that is sent twice could be read differently by two parsers."""
    body = b'{"event_id": 1, "user_id": "ada", "user_id": "bob"}'
    response = client.post(RESERVE, content=body, headers={"Content-Type": "application/json"})
    assert named(response) == {"user_id"}


def test_the_longest_user_id_is_accepted(client: httpx.Client) -> None:
    """A user id of 128 characters could be refused for its bytes."""
    event = create_event(client)
    assert reserve(client, event["id"], "\u00e9" * 128).status_code == 201


def test_user_ids_are_compared_in_normal_form(client: httpx.Client) -> None:
    """One user with two spellings in Unicode could book twice."""
    event = create_event(client)
    assert reserve(client, event["id"], "Jos\u00e9").json()["user_id"] == "Jos\u00e9"
    assert refusal(reserve(client, event["id"], "Jose\u0301")) == (409, "already_booked")


def test_an_unknown_event_is_not_found(client: httpx.Client) -> None:
    """An unknown event could be something else than a 404."""
    assert refusal(reserve(client, 2**40)) == (404, "event_not_found")


@pytest.mark.parametrize(
    "fields",
    [
        {"starts_at": PAST},
        {"sales_open_at": FUTURE},
        {"sales_close_at": PAST},
        {"status": "CANCELLED"},
        {"status": "COMPLETED"},
    ],
)
def test_an_event_off_sale_is_not_bookable(client: httpx.Client, fields: dict[str, Any]) -> None:
    """A seat could be sold before or after the sales window, or after the start."""
    event = create_event(client, **fields)
    assert refusal(reserve(client, event["id"])) == (409, "event_not_bookable")


def test_an_event_within_its_window_is_bookable(client: httpx.Client) -> None:
    """The edges of the sales window could be refused."""
    event = create_event(client, sales_open_at=PAST, sales_close_at=FUTURE, starts_at=FUTURE)
    assert reserve(client, event["id"]).status_code == 201


def test_a_draft_does_not_exist_for_buyers(client: httpx.Client) -> None:
    """A draft could be booked, or its existence be revealed."""
    event = create_event(client, status="DRAFT")
    assert refusal(reserve(client, event["id"])) == (404, "event_not_found")
    assert client.patch(f"/events/{event['id']}", json={"status": "PUBLISHED"}).status_code == 200
    assert reserve(client, event["id"]).status_code == 201


def test_refusals_come_in_their_order(client: httpx.Client) -> None:
    """A user with a booking could be told that the event is sold out."""
    event = create_event(client, 1)
    assert reserve(client, event["id"], "ada").status_code == 201
    assert refusal(reserve(client, event["id"], "ada")) == (409, "already_booked")
    assert refusal(reserve(client, event["id"], "bob")) == (409, "sold_out")
    client.patch(f"/events/{event['id']}", json={"status": "COMPLETED"})
    assert refusal(reserve(client, event["id"], "ada")) == (409, "event_not_bookable")
    client.delete(f"/events/{event['id']}")
    assert refusal(reserve(client, event["id"], "ada")) == (404, "event_not_found")


def test_no_seats_are_sold_out_at_once(client: httpx.Client) -> None:
    """An event without seats could sell one."""
    assert refusal(reserve(client, create_event(client, 0)["id"])) == (409, "sold_out")


def test_a_second_booking_leads_to_the_first(client: httpx.Client) -> None:
    """A refused user could not find the booking that they have."""
    event = create_event(client)
    first = reserve(client, event["id"])
    again = reserve(client, event["id"])
    assert again.json() == {"error": "already_booked"}
    assert again.headers["content-location"] == first.headers["location"]


def test_an_event_may_let_its_users_book_again(client: httpx.Client) -> None:
    """The event's own rule could be ignored."""
    event = create_event(client, 2, one_booking_per_user=False)
    assert reserve(client, event["id"]).status_code == 201
    assert reserve(client, event["id"]).status_code == 201
    assert refusal(reserve(client, event["id"])) == (409, "sold_out")


def test_each_response_has_the_inventory_revision(client: httpx.Client) -> None:
    """A response could have the revision of another state."""
    event = create_event(client, 1)
    opened = revision(client.get(f"/api/events/{event['id']}/availability"))
    assert revision(reserve(client, event["id"], "ada")) == opened + 1
    assert revision(reserve(client, event["id"], "ada")) == opened + 1
    assert revision(reserve(client, event["id"], "bob")) == opened + 1
    client.patch(f"/events/{event['id']}", json={"status": "COMPLETED"})
    assert revision(reserve(client, event["id"], "bob")) > opened


def test_a_repeated_key_books_once(client: httpx.Client) -> None:
    """A repeated request could book twice."""
    event = create_event(client)
    headers = {"Idempotency-Key": new_key()}
    first = reserve(client, event["id"], headers=headers)
    again = reserve(client, event["id"], headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("location", "x-inventory-revision"):
        assert again.headers[name] == first.headers[name]
    assert client.get(f"/api/events/{event['id']}/availability").json()["booked"] == 1


def test_a_refusal_is_stored_for_its_key(client: httpx.Client) -> None:
    """A repeated key could take a seat that was freed for others."""
    event = create_event(client, 0)
    headers = {"Idempotency-Key": new_key()}
    first = reserve(client, event["id"], headers=headers)
    assert refusal(first) == (409, "sold_out")
    client.patch(f"/events/{event['id']}", json={"total_seats": 5})
    again = reserve(client, event["id"], headers=headers)
    assert (again.status_code, again.content) == (409, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert reserve(client, event["id"], headers={"Idempotency-Key": new_key()}).status_code == 201


def test_a_refused_request_does_not_use_up_its_key(client: httpx.Client) -> None:
    """A corrected request could be refused for its key."""
    event = create_event(client)
    headers = {"Idempotency-Key": new_key()}
    assert reserve(client, event["id"], "", headers=headers).status_code == 422
    assert reserve(client, 2**40, headers=headers).status_code == 404
    response = reserve(client, event["id"], headers=headers)
    assert response.status_code == 201
    assert "idempotent-replayed" not in response.headers


def test_a_key_is_bound_to_its_request(client: httpx.Client) -> None:
    """A key with another user or event could be answered as the first request."""
    event, other = create_event(client), create_event(client)
    headers = {"Idempotency-Key": new_key()}
    assert reserve(client, event["id"], "ada", headers=headers).status_code == 201
    reused = (422, "idempotency_key_reused")
    assert refusal(reserve(client, event["id"], "bob", headers=headers)) == reused
    assert refusal(reserve(client, other["id"], "ada", headers=headers)) == reused


def test_a_key_may_be_quoted(client: httpx.Client) -> None:
    """A quoted and a bare key could count as two."""
    event, key = create_event(client), new_key()
    first = reserve(client, event["id"], headers={"Idempotency-Key": key})
    again = reserve(client, event["id"], headers={"Idempotency-Key": f'"{key}"'})
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


def test_the_longest_key_is_accepted(client: httpx.Client) -> None:
    """A key of 255 characters could be refused."""
    headers = {"Idempotency-Key": new_user().ljust(255, "k")}
    assert reserve(client, create_event(client)["id"], headers=headers).status_code == 201


@pytest.mark.parametrize("key", ["", '""', "a b", "k" * 256, '"half', "caf\u00e9", "a\tb"])
def test_a_bad_key_is_refused(client: httpx.Client, key: str) -> None:
    """A malformed key could be accepted and not be found again."""
    headers = {"Idempotency-Key": key.encode("latin-1")}
    body = {"event_id": 1, "user_id": "ada"}
    response = client.post(RESERVE, json=body, headers=headers)  # type: ignore[arg-type]
    assert refusal(response) == (400, "invalid_idempotency_key")
