import time

import httpx

from tests.e2e.client import create_event

ADMITTED_SECONDS = 30


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


def reserve(
    client: httpx.Client, event_id: int, user_id: str, headers: dict[str, str]
) -> httpx.Response:
    """Reserves a seat."""
    asked = {"event_id": event_id, "user_id": user_id}
    return client.post("/api/bookings/reserve", json=asked, headers=headers)
