import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from tests.e2e.client import create_event

ADMITTED_SECONDS = 30
SECONDS = 60


def test_people_wait_for_their_turn_and_book(client: httpx.Client) -> None:
    """Somebody would book past the queue, or not be told when it is their turn."""
    event_id = create_event(client, 10)["id"]
    path = f"/api/queue/{event_id}"
    assert client.post(path, json={"user_id": "ada"}).json() == {"error": "queue_off"}
    opened = client.put(path, json={"enabled": True, "max_active": 1, "rate_per_minute": 6_000})
    assert (opened.status_code, len(opened.json()["seed_hash"])) == (200, 64)
    first, second = (client.post(path, json={"user_id": user}) for user in ("ada", "bob"))
    assert (first.status_code, first.json().keys()) == (
        202,
        {"queue_token", "position", "estimated_wait_seconds"},
    )
    ada, bob = ({"X-Queue-Token": each.json()["queue_token"]} for each in (first, second))

    deadline = time.monotonic() + ADMITTED_SECONDS
    while client.get(path, headers=ada).json()["you"]["state"] != "ADMITTED":
        assert time.monotonic() < deadline
        time.sleep(0.05)  # the queue moves by itself, and sets no event
    refused = reserve(client, event_id, "bob", bob)
    assert (refused.status_code, refused.json()) == (409, {"error": "queue_required"})
    assert refused.headers["content-location"] == path
    assert reserve(client, event_id, "ada", {}).status_code == 409
    assert reserve(client, event_id, "ada", ada).status_code == 201
    assert client.get(path, headers=ada).json()["you"]["state"] == "DONE"
    assert client.delete(path, headers=bob).status_code == 204
    assert client.get(path, headers={"X-Queue-Token": "unknown"}).json() == {
        "error": "queue_entry_not_found"
    }
    assert client.put(path, json={"enabled": False}).json()["enabled"] is False
    assert reserve(client, event_id, "eve", {}).status_code == 201


def test_the_turn_comes_by_the_stream(client: httpx.Client) -> None:
    """A page would have to ask again and again, and its user be passed over once it does not."""
    event_id = create_event(client, 10)["id"]
    path = f"/api/queue/{event_id}"
    client.put(path, json={"enabled": True, "rate_per_minute": 0, "max_active": 1})
    ada, bob = (
        client.post(path, json={"user_id": user}).json()["queue_token"] for user in ("ada", "bob")
    )
    asked = httpx.stream(  # the other client closes streams after their first event
        "GET",
        f"{str(client.base_url).rstrip('/')}/api/events/{event_id}/stream",
        params={"queue_token": bob},
        timeout=SECONDS,
    )
    with asked as response:
        updates = queue_updates(response)
        first = next(updates)
        assert (first["screening_id"], first["state"], first["position"]) == (
            event_id,
            "WAITING",
            2,
        )
        assert first["estimated_wait_seconds"] is None
        client.put(path, json={"enabled": True, "rate_per_minute": 6_000})
        while (update := next(updates))["position"] != 1:
            assert update["position"] == 2
        assert client.delete(path, headers={"X-Queue-Token": ada}).status_code == 204
        while (update := next(updates))["state"] != "ADMITTED":
            assert update["position"] == 1
        assert (update["position"], update["estimated_wait_seconds"]) == (0, 0)
    assert update["admitted_until"] > update["timestamp"]
    assert reserve(client, event_id, "bob", {"X-Queue-Token": bob}).status_code == 201
    unknown = client.get(f"/api/events/{event_id}/stream", params={"queue_token": "unknown"})
    assert (unknown.status_code, unknown.json()) == (404, {"error": "queue_entry_not_found"})


def queue_updates(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """Yields what the stream tells of the place."""
    is_update = False
    for line in response.iter_lines():
        if line.startswith("event: "):
            is_update = line == "event: queue_update"
        elif is_update and line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def reserve(
    client: httpx.Client, event_id: int, user_id: str, headers: dict[str, str]
) -> httpx.Response:
    """Reserves a seat."""
    asked = {"event_id": event_id, "user_id": user_id}
    return client.post("/api/bookings/reserve", json=asked, headers=headers)
