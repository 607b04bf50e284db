"""The audit log over HTTP: what an admin sees of what was done in all services."""

import httpx

from tests.e2e.accounts import add_accounts
from tests.e2e.client import create_event, refusal
from tests.e2e.system import System


def test_an_admin_sees_who_did_what_in_all_services(client: httpx.Client, system: System) -> None:
    """A service could keep no log, or the gateway not ask it."""
    people = add_accounts(system.database, {"owner": "ORGANIZER", "admin": "ADMIN"})
    owner = people["owner"]
    client.headers["authorization"] = owner.authorization
    event_id = create_event(client)["id"]
    client.put(f"/api/queue/{event_id}", json={"enabled": False})
    key = client.post("/auth/api-keys", json={"name": "door", "scopes": ["EVENTS_WRITE"]}).json()
    client.headers["authorization"] = f"Bearer {key['secret']}"
    client.delete("/events/987654321", headers={"X-Request-Id": "made-a-mistake"})
    client.headers["authorization"] = people["admin"].authorization
    listed = client.get("/api/audit", params={"actor": owner.id, "page_size": 3})
    older = client.get(listed.links["next"]["url"])
    assert [
        (entry["service"], entry["action"], entry["target"] or entry["created"], entry["outcome"])
        for entry in listed.json() + older.json()
    ] == [
        ("EVENTS", "EventsService.DeleteEvent", "event/987654321", "event_not_found"),
        ("ACCOUNTS", "ApiKeysService.CreateApiKey", f"api-key/{key['id']}", "ok"),
        ("BOOKINGS", "QueueService.SetQueue", f"event/{event_id}", "ok"),
        ("EVENTS", "EventsService.CreateEvent", f"event/{event_id}", "ok"),
    ]
    last = listed.json()[0]
    assert (last["actor_kind"], last["api_key_id"]) == ("API_KEY", key["id"])
    assert (last["request_id"], last["fields"]) == ("made-a-mistake", [])
    of_event = client.get(
        "/api/audit", params={"service": "BOOKINGS", "target": f"event/{event_id}"}
    )
    assert [entry["fields"] for entry in of_event.json()] == [["enabled"]]


def test_bad_filters_are_refused(client: httpx.Client, system: System) -> None:
    """A mistake in a filter could be an error of the server, or list everything."""
    admin = add_accounts(system.database, {"admin": "ADMIN"})["admin"]
    client.headers["authorization"] = admin.authorization
    for name, value in {
        "service": "MAIL",
        "since": "yesterday",
        "until": "0000-01-01T00:00:00Z",
        "actor": "",
        "target": "event/\0",
        "page_size": "201",
    }.items():
        response = client.get("/api/audit", params={name: value})
        assert refusal(response) == (422, "validation_error"), (name, response.text)
    response = client.get("/api/audit", params={"page_token": "AAAA"})
    assert refusal(response) == (400, "invalid_page_token")


def test_a_target_that_cannot_be_stored_is_bad_input(client: httpx.Client, system: System) -> None:
    """The log would refuse it as an outage, which the client would wait out forever."""
    owner = add_accounts(system.database, {"owner": "ORGANIZER"})["owner"]
    response = client.delete("/auth/api-keys/%00", headers={"authorization": owner.authorization})
    assert refusal(response) == (422, "validation_error")


def test_what_an_admin_books_for_a_guest_has_one_entry(
    client: httpx.Client, system: System
) -> None:
    """Nobody could say who made a booking, or the log have it once for each attempt."""
    admin = add_accounts(system.database, {"admin": "ADMIN"})["admin"]
    client.headers["authorization"] = admin.authorization
    event_id = create_event(client)["id"]
    wish = {"event_id": event_id, "user_id": "guest"}
    booked = client.post("/api/bookings/reserve", json=wish)
    number = booked.headers["location"].rpartition("/")[2]
    [entry] = client.get("/api/audit", params={"target": f"booking/{number}"}).json()
    assert (entry["actor"], entry["action"]) == (admin.id, "BookingsService.Reserve")
    assert (entry["target"], entry["outcome"]) == (f"event/{event_id}/user/guest", "ok")
