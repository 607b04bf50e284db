"""Tickets with a waiting list, as clients of HTTP see them."""

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.e2e.client import create_event, new_key, refusal
from tests.e2e.raw_http import crowd, ticket
from tests.e2e.system import System


def initialize(client: httpx.Client, total: int) -> str:
    """Creates an event with tickets; returns its key."""
    key = new_key()
    response = client.post("/initialize", json={"eventId": key, "totalTickets": total})
    assert response.status_code == 201, response.text
    return key


def book(client: httpx.Client, key: str, user: str, **headers: str) -> httpx.Response:
    """Requests a ticket."""
    return client.post("/book", json={"userId": user, "eventId": key}, headers=headers)


def cancel(client: httpx.Client, key: str, user: str, **headers: str) -> httpx.Response:
    """Cancels a booking by the key of its event."""
    return client.post("/cancel", json={"userId": user, "eventId": key}, headers=headers)


def status(client: httpx.Client, key: str, **query: str) -> dict[str, Any]:
    """Reads the status of an event."""
    response = client.get(f"/status/{key}", params=query)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_added_tickets_are_counted_after_promotions(client: httpx.Client) -> None:
    """Added seats could be shown as free although they went to the waiting list."""
    event = create_event(client, total_seats=1, key=new_key())
    for user in ("ada", "bob"):
        book(client, event["key"], user)
    for seats, left in ((2, 0), (4, 2)):
        for _ in range(2):
            grown = client.patch(
                f"/events/{event['id']}",
                json={"total_seats": seats},
                headers={"Idempotency-Key": f"{event['key']}-{seats}"},
            )
            assert grown.json()["available_seats"] == left
    assert client.get(f"/events/{event['id']}").json()["available_seats"] == 2


def test_the_life_of_a_ticket(client: httpx.Client) -> None:
    """A status or a body on the way from the list to a ticket could change."""
    key = initialize(client, 1)
    assert status(client, key) == {
        "event_id": key,
        "total_tickets": 1,
        "available_tickets": 1,
        "waiting_list": 0,
    }
    booked = book(client, key, "ada")
    assert booked.status_code == 201
    assert booked.json() == {
        "status": "booked",
        "event_id": key,
        "user_id": "ada",
        "seat_count": 1,
        "booking_id": booked.json()["booking_id"],
        "position": None,
    }
    assert booked.headers["location"] == f"/api/bookings/booking/{booked.json()['booking_id']}"
    waiting = book(client, key, "bob")
    assert (waiting.status_code, waiting.json()["status"], waiting.json()["position"]) == (
        202,
        "waiting",
        1,
    )
    assert "location" not in waiting.headers
    again = book(client, key, "bob")
    assert refusal(again) == (409, "already_waiting")
    assert again.headers["x-waiting-position"] == "1"
    assert refusal(book(client, key, "ada")) == (409, "already_booked")
    assert status(client, key, userId="bob")["you"] == {
        "status": "waiting",
        "position": 1,
        "offer_expires_at": None,
    }
    assert status(client, key, userId="eve")["you"]["status"] == "none"
    given = cancel(client, key, "ada")
    assert (given.status_code, given.json()) == (200, {"status": "cancelled", "promoted": True})
    assert status(client, key, userId="bob")["you"]["status"] == "booked"
    assert refusal(cancel(client, key, "ada")) == (409, "already_cancelled")
    assert refusal(cancel(client, key, "eve")) == (404, "booking_not_found")


def test_leaving_the_list(client: httpx.Client) -> None:
    """A user who left could keep a place, or others not move up."""
    key = initialize(client, 0)
    for user in ("ada", "bob"):
        assert book(client, key, user).status_code == 202
    assert [entry["position"] for entry in client.get(f"/status/{key}/waiting-list").json()] == [
        1,
        2,
    ]
    left = cancel(client, key, "ada")
    assert left.json() == {"status": "left_waiting_list", "promoted": False}
    entry = client.get(f"/status/{key}/waiting-list/bob").json()
    assert (entry["state"], entry["position"]) == ("WAITING", 1)


def test_who_books_again_gets_the_offer_until_it_ends(client: httpx.Client) -> None:
    """A user with an offer could get other seats, or the seats without paying."""
    price = {"amount_minor": 100, "currency": "EUR"}
    key = create_event(client, total_seats=2, key=new_key(), price=price)["key"]
    for user in ("ada", "bob"):
        client.post("/book", json={"userId": user, "eventId": key, "seatCount": 2})
    assert cancel(client, key, "ada").json()["promoted"] is True
    keys = {"Idempotency-Key": new_key()}
    offered = book(client, key, "bob", **keys)
    booking = client.get(offered.headers["location"]).json()
    assert (booking["seat_count"], booking["status"]) == (2, "HELD")
    assert (offered.status_code, offered.json()) == (
        201,
        {
            "status": "held",
            "event_id": key,
            "user_id": "bob",
            "seat_count": 2,
            "booking_id": booking["id"],
            "position": None,
            "expires_at": booking["expires_at"],
        },
    )
    assert book(client, key, "bob", **keys).content == offered.content


@pytest.mark.parametrize("ask", [book, cancel])
def test_an_event_is_named_by_its_key_only(client: httpx.Client, ask: Any) -> None:
    """The id of an event could pass for its key."""
    key = initialize(client, 1)
    booked = book(client, key, "ada").json()
    number = client.get(f"/api/bookings/booking/{booked['booking_id']}").json()["event_id"]
    for other in (str(number), new_key()):
        assert refusal(ask(client, other, "bob")) == (404, "event_not_found")
        assert refusal(client.get(f"/status/{other}")) == (404, "event_not_found")
    assert ask(client, "no key at all", "bob").status_code == 422


def test_a_repeated_request_is_answered_again(client: httpx.Client) -> None:
    """A repeated request could get another response later on."""
    key = initialize(client, 1)
    keys = {"Idempotency-Key": new_key()}
    first = [book(client, key, "ada", **keys), book(client, key, "bob"), cancel(client, key, "ada")]
    again = book(client, key, "ada", **keys)
    assert (again.status_code, again.content) == (first[0].status_code, first[0].content)
    assert again.headers["idempotent-replayed"] == "true"
    keys = {"Idempotency-Key": new_key()}
    waiting = book(client, key, "eve", **keys)
    assert cancel(client, key, "bob").json()["promoted"] is True
    assert book(client, key, "eve", **keys).content == waiting.content


async def test_500_people_want_100_tickets(system: System, client: httpx.Client) -> None:
    """Concurrent requests could oversell, or leave gaps in the places."""
    key = initialize(client, 100)
    users = [f"user-{number}" for number in range(500)]
    async with crowd([system.port], len(users)) as people:
        answers = await people.settle([ticket(key, user) for user in users])
    assert Counter(answer.outcome for answer in answers) == {(201, ""): 100, (202, ""): 400}
    positions = [answer.json["position"] for answer in answers if answer.status == 202]
    assert sorted(positions) == list(range(1, 401))
    shown = status(client, key)
    assert (shown["available_tickets"], shown["waiting_list"]) == (0, 400)
