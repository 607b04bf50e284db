"""Screenings for tests: a movie, and a room of its own for each screening."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.accounts import add_accounts
from tests.e2e.client import new_key, open_client
from tests.e2e.system import System

STARTS_AT = "2100-01-01T20:00:00Z"
ROWS = ({"row": "A", "seats": 4, "type": "REGULAR"}, {"row": "B", "seats": 4, "type": "VIP"})
PRICES: Mapping[str, Any] = {
    "price": {"amount_minor": 900, "currency": "EUR"},
    "seat_type_prices": {"VIP": {"amount_minor": 1_500, "currency": "EUR"}},
}


@contextlib.contextmanager
def open_cinema(system: System) -> Iterator["Cinema"]:
    """Opens a cinema in a system, with an admin of its own."""
    admin = add_accounts(system.database, {"admin": "ADMIN"})["admin"]
    with open_client(system.url) as client:
        yield Cinema(client, {"Authorization": admin.authorization})


@dataclass
class Cinema:
    """Puts on screenings as an admin."""

    client: httpx.Client
    headers: Mapping[str, str]
    _parents: dict[str, int] = field(default_factory=dict)

    def screening(
        self, rows: Sequence[Mapping[str, Any]] = ROWS, *, areas: Sequence[Any] = (), **fields: Any
    ) -> int:
        """Puts on a screening in a new room; returns its number."""
        room = {"name": new_key(), "rows": list(rows), "areas": list(areas)}
        theater_id = self._parent("/api/theaters", name="Roxy", location="Vienna")
        room_id = self._post(f"/api/theaters/{theater_id}/rooms", room)["id"]
        movie_id = self._parent("/api/movies", title="Calm", duration_minutes=90)
        placed = {"movie_id": movie_id, "room_id": room_id, "starts_at": STARTS_AT}
        return int(self._post("/api/screenings", placed | fields)["id"])

    def _parent(self, path: str, **fields: Any) -> int:
        """Creates the one movie or theater of all screenings."""
        if path not in self._parents:
            self._parents[path] = self._post(path, fields)["id"]
        return self._parents[path]

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        response = self.client.post(path, json=body, headers=self.headers)
        assert response.status_code == 201, response.text
        return dict(response.json())
