"""Sample events, loaded through the REST contract: at the start of a run, and by `boxoffice seed`.

Each event carries a key of its own, so loading again changes nothing.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from deploy.local.errors import SampleDataError
from deploy.local.local_http import open_url

_TIMEOUT_SECONDS = 10


def sample_events(now: datetime) -> list[dict[str, Any]]:
    """Returns the events to create, all of them some weeks after `now`."""
    evening = now.replace(hour=19, minute=30, second=0, microsecond=0)
    return [
        {
            "key": "sample-chamber-music",
            "name": "Chamber Music at the Old Mill",
            "description": "A string quartet in a room of fifty seats.",
            "total_seats": 50,
            "starts_at": rfc3339(evening + timedelta(days=60)),
            "venue": "The Old Mill, Leiden",
            "time_zone": "Europe/Amsterdam",
        },
        {
            "key": "sample-python-conference",
            "name": "Python Conference",
            "description": "Two days of talks; lunch is included.",
            "total_seats": 500,
            "starts_at": rfc3339(evening + timedelta(days=120)),
            "venue": "Kongresshaus, Zurich",
            "time_zone": "Europe/Zurich",
            "price": {"amount_minor": 24900, "currency": "EUR"},
        },
        {
            "key": "sample-chefs-table",
            "name": "The Chef's Table",
            "description": "Five places by the stove: sold out before you know it.",
            "total_seats": 5,
            "starts_at": rfc3339(evening + timedelta(days=30)),
            "venue": "Casa Lucia, Lisbon",
            "time_zone": "Europe/Lisbon",
        },
        {
            "key": "sample-stadium-night",
            "name": "Stadium Night",
            "description": "Everybody is coming; each may have as many seats as they like.",
            "total_seats": 40_000,
            "starts_at": rfc3339(evening + timedelta(days=180)),
            "venue": "National Stadium, Warsaw",
            "time_zone": "Europe/Warsaw",
            "one_booking_per_user": False,
        },
    ]


def organized_events(now: datetime) -> list[dict[str, Any]]:
    """Returns the events that belong to the sample organizer, one of them a draft."""
    evening = now.replace(hour=20, minute=0, second=0, microsecond=0)
    return [
        {
            "key": "sample-jazz-in-the-courtyard",
            "name": "Jazz in the Courtyard",
            "description": "Up to twenty seats in one booking.",
            "total_seats": 120,
            "starts_at": rfc3339(evening + timedelta(days=45)),
            "venue": "The Courtyard, Ghent",
            "time_zone": "Europe/Brussels",
        },
        {
            "key": "sample-secret-supper",
            "name": "A Secret Supper",
            "description": "Not announced yet.",
            "total_seats": 24,
            "status": "DRAFT",
            "starts_at": rfc3339(evening + timedelta(days=90)),
        },
    ]


def seed(gateway_url: str) -> int | None:
    """Creates the sample events that are missing; returns the id of one that can be booked.

    None when all of them were deleted. Raises SampleDataError when the gateway refuses one.
    """
    events = sample_events(datetime.now(UTC))
    create(gateway_url, events)
    return _find(gateway_url, events[0])


def create(gateway_url: str, events: Sequence[dict[str, Any]], *, authorization: str = "") -> None:
    """Creates the events that are missing, as the caller of `authorization`.

    Raises SampleDataError when the gateway refuses one.
    """
    for event in events:
        status, answer = request(f"{gateway_url}/events", event, authorization)
        known = status == HTTPStatus.CONFLICT and answer == {"error": "event_exists"}
        if status != HTTPStatus.CREATED and not known:
            raise SampleDataError(
                f"the gateway answered {status} to the event {event['key']}: {answer}"
            )


def _find(gateway_url: str, wanted: dict[str, Any]) -> int | None:
    _, events = request(f"{gateway_url}/events?{urlencode({'query': wanted['name']})}")
    return next((event["id"] for event in events if event["key"] == wanted["key"]), None)


def request(
    url: str, body: dict[str, Any] | None = None, authorization: str = ""
) -> tuple[int, Any]:
    """Sends a POST with `body`, or a GET without one; returns status and response."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if authorization:
        headers["Authorization"] = authorization
    sent = urllib.request.Request(url, data, headers)  # noqa: S310
    try:
        with open_url(sent, timeout_seconds=_TIMEOUT_SECONDS) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, _json_or_text(refusal.read())
    except urllib.error.URLError as exc:
        raise SampleDataError(
            f"nothing answers at {url}: {exc.reason}; start it with `make run`"
        ) from exc


def _json_or_text(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return answer.decode(errors="replace")


def rfc3339(moment: datetime) -> str:
    """Writes a time in UTC as JSON has it."""
    return moment.isoformat().replace("+00:00", "Z")
