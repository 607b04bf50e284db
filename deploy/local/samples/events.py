"""The sample events. Each has a key of its own, so creating it again changes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from deploy.local.samples.client import Client

FIRST_EVENT = {
    "key": "sample-chamber-music",
    "name": "Chamber Music at the Old Mill",
    "description": "A string quartet in a room of fifty seats.",
}


def sample_events(now: datetime, great_hall: int) -> list[dict[str, Any]]:
    """Returns the events to create, all of them some weeks after `now`; one has seats in a room."""
    evening = now.replace(hour=19, minute=30, second=0, microsecond=0)
    return [
        {
            **FIRST_EVENT,
            "total_seats": 50,
            "starts_at": _rfc3339(evening + timedelta(days=60)),
            "venue": "The Old Mill, Leiden",
            "time_zone": "Europe/Amsterdam",
        },
        {
            "key": "sample-python-conference",
            "name": "Python Conference",
            "description": "Two days of talks; lunch is included.",
            "total_seats": 500,
            "starts_at": _rfc3339(evening + timedelta(days=120)),
            "venue": "Kongresshaus, Zurich",
            "time_zone": "Europe/Zurich",
            "price": {"amount_minor": 24900, "currency": "EUR"},
        },
        {
            "key": "sample-chefs-table",
            "name": "The Chef's Table",
            "description": "Five places by the stove: sold out before you know it.",
            "total_seats": 5,
            "starts_at": _rfc3339(evening + timedelta(days=30)),
            "venue": "Casa Lucia, Lisbon",
            "time_zone": "Europe/Lisbon",
        },
        {
            "key": "sample-stadium-night",
            "name": "Stadium Night",
            "description": "Everybody is coming; each may have as many seats as they like.",
            "total_seats": 40_000,
            "starts_at": _rfc3339(evening + timedelta(days=180)),
            "venue": "National Stadium, Warsaw",
            "time_zone": "Europe/Warsaw",
            "one_booking_per_user": False,
        },
        {
            "key": "sample-orchestra-gala",
            "name": "Orchestra Gala",
            "description": "Choose your seat, or take the best one that is left.",
            "room_id": great_hall,
            "starts_at": _rfc3339(evening + timedelta(days=75)),
            "ends_at": _rfc3339(evening + timedelta(days=75, hours=3)),
            "venue": "Musikhalle, Hamburg",
            "time_zone": "Europe/Berlin",
            "price": {"amount_minor": 4900, "currency": "EUR"},
            "seat_type_prices": {
                "VIP": {"amount_minor": 8900, "currency": "EUR"},
                "DELUXE": {"amount_minor": 6900, "currency": "EUR"},
            },
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
            "starts_at": _rfc3339(evening + timedelta(days=45)),
            "venue": "The Courtyard, Ghent",
            "time_zone": "Europe/Brussels",
        },
        {
            "key": "sample-secret-supper",
            "name": "A Secret Supper",
            "description": "Not announced yet.",
            "total_seats": 24,
            "status": "DRAFT",
            "starts_at": _rfc3339(evening + timedelta(days=90)),
        },
    ]


def load_events(client: Client, events: Sequence[dict[str, Any]]) -> None:
    """Creates the events that are missing."""
    for event in events:
        client.ensure("/events", event, exists="event_exists")


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
