"""An HTTP client that checks the form of every response."""

import itertools
from collections.abc import Mapping
from typing import Any

import httpx

TIMEOUT_SECONDS = 60
DETAILED = {"already_used", "seat_not_found", "seats_unavailable"}
"""Refusals that say more than their code."""

_numbers = itertools.count(1)


def open_client(url: str) -> httpx.Client:
    """Returns a client that fails for a response of a wrong form."""
    return httpx.Client(
        base_url=url,
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
        event_hooks={"response": [_read_and_check]},
    )


def check_form(response: httpx.Response) -> None:
    """Checks the form that all responses have."""
    assert response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.status_code != 500
    is_ready = response.request.url.path == "/ready"
    if response.status_code >= 400 and response.request.method != "HEAD" and not is_ready:
        check_error(response.json())


def check_error(body: Any) -> None:
    """Checks the body of an error: a code, details of fields, and nothing else."""
    if body.get("error") in DETAILED:
        assert body.keys() == {"error", "details"}
        return
    if body.get("error") != "validation_error":
        assert body == {"error": body["error"]}
        return
    assert body.keys() == {"error", "details"}
    assert body["details"]
    for detail in body["details"]:
        assert detail.keys() == {"path", "message"}


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Returns status and code of a refusal."""
    return response.status_code, response.json()["error"]


def named(response: httpx.Response) -> set[str]:
    """Returns the fields that a 422 names."""
    assert refusal(response) == (422, "validation_error")
    return {detail["path"] for detail in response.json()["details"]}


def new_user() -> str:
    """Returns a user id that no other test uses."""
    return f"user-{next(_numbers)}"


def new_key() -> str:
    """Returns a key that no other test uses."""
    return f"key-{next(_numbers)}"


def create_event(client: httpx.Client, total_seats: int = 3, **fields: Any) -> dict[str, Any]:
    """Creates an event."""
    body = {"name": "Concert", "total_seats": total_seats} | fields
    response = client.post("/events", json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


def reserve(
    client: httpx.Client,
    event_id: int,
    user_id: str = "ada",
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Requests a seat."""
    body = {"event_id": event_id, "user_id": user_id}
    return client.post("/api/bookings/reserve", json=body, headers=headers)


def _read_and_check(response: httpx.Response) -> None:
    if response.headers.get("content-type") == "text/event-stream":
        response._content = _first_event(response)
        response.close()
    else:
        response.read()
    check_form(response)


def _first_event(response: httpx.Response) -> bytes:
    """Reads the first event of a stream, which has no end."""
    found = b""
    for part in response.iter_raw():
        found += part
        if b"\ndata: " in found:
            break
    return found
