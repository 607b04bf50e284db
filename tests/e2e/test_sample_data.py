from datetime import UTC, datetime
from typing import Any

import httpx

from deploy.local.samples.cinema import DAYS, MOVIES, SHOWS
from deploy.local.samples.client import Client
from deploy.local.samples.loading import load
from tests.e2e.accounts import add_accounts
from tests.e2e.client import open_client
from tests.e2e.conftest import Start

LISTS = ("/api/movies", "/api/theaters", "/api/screenings", "/events?page_size=200")


def test_loading_twice_changes_nothing(start: Start) -> None:
    """Each start could create the cinema again, or the gateway could refuse a part of it."""
    system, now = start(), datetime.now(UTC)
    admin = add_accounts(system.database, {"admin": "ADMIN"})["admin"].authorization
    with open_client(system.url) as client:
        found = []
        for _ in range(2):
            load(Client(system.url, admin), Client(system.url), now)
            found.append([listed(client, path) for path in LISTS])
    assert found[0] == found[1]
    movies, theaters, screenings, _ = found[0]
    rooms = {room["name"]: room["capacity"] for one in theaters for room in one["rooms"]}
    assert rooms == {"Hall 1": 50, "Hall 2": 240, "Great Hall": 2_000}
    assert (len(movies), len(screenings)) == (len(MOVIES), DAYS * len(SHOWS))
    assert {screening["available_seats"] for screening in screenings} == {50, 240}


def listed(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    """Returns a list of resources."""
    found: list[dict[str, Any]] = client.get(path).raise_for_status().json()
    return found
