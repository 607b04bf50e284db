"""Rooms and screenings for the benchmark, made by an admin."""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.bench import tokens
from tests.bench.system import System

HOLDS = "/api/seat-reservations"
HELD_AT_ONCE = 10
APART = timedelta(hours=2)
MOVIE = {"title": "Endless", "duration_minutes": 60}


@dataclass(frozen=True, slots=True)
class Hall:
    """A room of equal rows."""

    rows: int
    seats_a_row: int

    @property
    def seats(self) -> int:
        """How many seats it has."""
        return self.rows * self.seats_a_row

    def body(self) -> dict[str, Any]:
        """Returns the request that makes it."""
        rows = [{"row": f"{row}", "seats": self.seats_a_row} for row in range(1, self.rows + 1)]
        return {"name": f"Hall {time.time_ns()}", "rows": rows}


class Cinema:
    """A theater whose rooms show a movie without an end."""

    def __init__(self, system: System) -> None:
        [token] = tokens.issue(system.owner_dsn, 1)
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=system.url, headers=headers, timeout=60)
        self._movie_id = self._create("/api/movies", MOVIE)
        self._theater_id = self._create("/api/theaters", {"name": "Bench"})

    def rooms(self, hall: Hall, count: int) -> Sequence[int]:
        """Makes rooms; returns their numbers."""
        path = f"/api/theaters/{self._theater_id}/rooms"
        return [self._create(path, hall.body()) for _ in range(count)]

    def screenings(self, rooms: Sequence[int], count: int, **fields: Any) -> Sequence[int]:
        """Makes so many screenings, over the rooms in turn; returns their numbers."""
        endless = ((starts_at, room_id) for starts_at in _times() for room_id in rooms)
        turns = itertools.islice(endless, count)
        return [self._create("/api/screenings", self._screening(*turn) | fields) for turn in turns]

    def hold_a_tenth(self, screening_id: int, hall: Hall) -> None:
        """Holds a tenth of the seats, the best ones."""
        for number in range(hall.seats // 10 // HELD_AT_ONCE):
            best = {"count": HELD_AT_ONCE, "adjacent": False}
            body = {"screening_id": screening_id, "user_id": f"early-{number}", "best": best}
            self._client.post(HOLDS, json=body).raise_for_status()

    def entity_tag(self, path: str) -> str:
        """Returns the entity tag of the answer to a browser."""
        answer = self._client.get(path, headers={"Accept-Encoding": "gzip"})
        return answer.raise_for_status().headers["ETag"]

    def _screening(self, starts_at: datetime, room_id: int) -> dict[str, Any]:
        times = {"starts_at": starts_at.isoformat()}
        return {"movie_id": self._movie_id, "room_id": room_id, **times}

    def _create(self, path: str, body: Mapping[str, Any]) -> int:
        number: int = self._client.post(path, json=body).raise_for_status().json()["id"]
        return number


def _times() -> Iterator[datetime]:
    """Yields the times at which a room's screenings start: from tomorrow on, without an end."""
    tomorrow = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (tomorrow + number * APART for number in itertools.count())
