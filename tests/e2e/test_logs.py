import json

import httpx
import pytest

from tests.e2e.client import create_event, new_user, refusal, reserve
from tests.e2e.system import System, until
from tests.processes import Process


def entry_of(process: Process, request_id: str) -> dict[str, object]:
    """Waits for the last line of a request in the log of a process."""
    return entries_of(process, request_id)[-1]


def entries_of(process: Process, request_id: str) -> list[dict[str, object]]:
    """Waits for the lines of a request in the log of a process."""

    def found() -> list[dict[str, object]]:
        return [
            entry
            for line in process.log().splitlines()
            if request_id in line and (entry := json.loads(line))["request_id"] == request_id
        ]

    until(lambda: bool(found()), process.log, seconds=5)
    return found()


def test_a_reservation_can_be_followed_through_the_logs(
    client: httpx.Client, system: System
) -> None:
    """A process could log a request without the client's id."""
    event, request_id = create_event(client), f"follow-{new_user()}"
    assert reserve(client, event["id"], headers={"X-Request-Id": request_id}).status_code == 201
    asked = entry_of(system.gateway, request_id)
    assert (asked["process"], asked["method"], asked["status"]) == ("gateway", "POST", 201)
    assert asked["route"] == "/api/bookings/reserve"
    decided = entries_of(system.bookings[0], request_id)[0]
    assert decided["method"] == "/boxoffice.bookings.v1.BookingsService/Reserve"


def test_a_creation_can_be_followed_to_bookings(client: httpx.Client, system: System) -> None:
    """The request id could get lost between events and bookings."""
    request_id = f"follow-{new_user()}"
    body = {"name": "Concert", "total_seats": 1}
    client.post("/events", json=body, headers={"X-Request-Id": request_id})
    assert entry_of(system.gateway, request_id)["route"] == "/events"
    assert "CreateEvent" in str(entry_of(system.events, request_id)["method"])
    assert "ApplyEvent" in str(entry_of(system.bookings[0], request_id)["method"])


def test_a_refusal_can_be_followed_through_the_logs(client: httpx.Client, system: System) -> None:
    """A refusal could be logged without the id in its response."""
    response = reserve(client, create_event(client, 0)["id"])
    assert refusal(response) == (409, "sold_out")
    request_id = response.headers["x-request-id"]
    assert entry_of(system.gateway, request_id)["status"] == 409
    assert entry_of(system.bookings[0], request_id)["process"] == "bookings"


@pytest.mark.parametrize("name", ["gateway", "events", "bookings"])
def test_every_line_of_a_log_is_json(system: System, name: str) -> None:
    """A library could log lines that no collector can parse."""
    processes = {
        "gateway": system.gateway,
        "events": system.events,
        "bookings": system.bookings[0],
    }
    entries = processes[name].entries()
    assert entries
    assert {entry["process"] for entry in entries} == {name}
    assert all(entry.keys() >= {"timestamp", "level", "event", "request_id"} for entry in entries)


def test_logs_have_no_personal_data_and_no_keys(client: httpx.Client, system: System) -> None:
    """A log could hold personal data or credentials."""
    canary = f"canary-{new_user()}"
    event = create_event(client, name=canary)
    headers = {"Idempotency-Key": canary}
    assert reserve(client, event["id"], canary, headers=headers).status_code == 201
    client.get("/api/bookings/user", params={"user_id": canary})
    client.get("/events", headers={"Authorization": f"Bearer {canary}"})
    response = client.post("/events", json={"name": canary, "total_seats": "many", canary: 1})
    assert response.status_code == 422
    for process in system.processes:
        entry_of(system.gateway, response.headers["x-request-id"])
        assert canary not in process.log()
