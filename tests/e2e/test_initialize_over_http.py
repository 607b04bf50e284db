"""POST /initialize: an event by the client's own id."""

from collections import Counter

import grpc
import httpx
import pytest

from services.bookings.catalogue.events_client import EventsClient
from services.bookings.errors import EventNotFound
from tests.e2e.client import named, new_key, new_user, refusal, reserve
from tests.e2e.raw_http import crowd, request
from tests.e2e.system import SERVICE_KEY, System


def initialize(
    client: httpx.Client, key: str, total: int = 5, headers: dict[str, str] | None = None
) -> httpx.Response:
    """Initializes the event of a key."""
    body = {"eventId": key, "totalTickets": total}
    return client.post("/initialize", json=body, headers=headers)


def number(client: httpx.Client, key: str) -> int:
    """Returns the id of an event that has its key as its name."""
    found = client.get("/events", params={"query": key}).json()
    [event] = [one for one in found if one["key"] == key]
    return int(event["id"])


def test_an_event_is_made_once_and_found_again(client: httpx.Client) -> None:
    """A second request could create a second event, or have another body."""
    key = new_key()
    made = initialize(client, key)
    assert (made.status_code, made.json()) == (
        201,
        {"event_id": key, "total_tickets": 5, "available_tickets": 5, "waiting_list": 0},
    )
    assert reserve(client, number(client, key)).status_code == 201
    again = client.post("/initialize", json={"event_id": key, "total_tickets": 5})
    assert (again.status_code, again.json()) == (200, made.json() | {"available_tickets": 4})
    assert refusal(initialize(client, key, total=6)) == (409, "event_exists")


def test_a_replay_is_what_was_answered_first(client: httpx.Client) -> None:
    """A repeated key could get 200 in place of its 201."""
    key, header = new_key(), {"Idempotency-Key": new_user()}
    first, again = (initialize(client, key, headers=header) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert refusal(initialize(client, key, 6, header)) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"totalTickets": 5}, "event_id"),
        ({"eventId": "", "totalTickets": 5}, "eventId"),
        ({"eventId": "a b", "totalTickets": 5}, "eventId"),
        ({"eventId": 5, "totalTickets": 5}, "eventId"),
        ({"eventId": "jazz"}, "total_tickets"),
        ({"eventId": "jazz", "totalTickets": None}, "totalTickets"),
        ({"eventId": "jazz", "totalTickets": -1}, "totalTickets"),
        ({"eventId": "jazz", "totalTickets": "5"}, "totalTickets"),
        ({"eventId": "jazz", "totalTickets": 5.0}, "totalTickets"),
        ({"eventId": "jazz", "totalTickets": 5, "name": "Jazz"}, "name"),
    ],
)
def test_bad_input_is_named(client: httpx.Client, body: dict[str, object], path: str) -> None:
    """An error could name a field otherwise than the body does."""
    assert named(client.post("/initialize", json=body)) == {path}


async def test_one_of_many_concurrent_requests_creates_the_event(system: System) -> None:
    """Concurrent requests could create two events, or fail."""
    body = {"eventId": new_key(), "totalTickets": 5}
    async with crowd(system.ports, 50) as organizers:
        answers = await organizers.rush([request("POST", "/initialize", body)] * 50)
    assert Counter(answer.status for answer in answers) == {201: 1, 200: 49}
    # The number is null where bookings, which is busy, does not give it in time.
    assert {answer.json["available_tickets"] for answer in answers} - {None} == {5}


async def test_bookings_knows_the_event_by_its_key(system: System, client: httpx.Client) -> None:
    """The state by key could differ from the state by id."""
    key = new_key()
    initialize(client, key)
    async with grpc.aio.insecure_channel(system.events_target) as channel:
        events = EventsClient(channel, SERVICE_KEY)
        state = await events.get_state(key)
        assert state.key == key
        assert await events.get_state(state.event_id) == state
        with pytest.raises(EventNotFound):
            await events.get_state(new_key())
