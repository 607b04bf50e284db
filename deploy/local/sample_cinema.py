"""A sample cinema, loaded through the REST contract by `boxoffice seed`.

What is there already is found by its name, so loading again changes nothing but that screenings
which are over are followed by others.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from deploy.local.errors import SampleDataError
from deploy.local.sample_events import request, rfc3339

THEATER = {
    "name": "Filmtheater am Park",
    "location": "Parkstraße 1, 10115 Berlin",
    "time_zone": "Europe/Berlin",
}
ROOM: dict[str, Any] = {
    "name": "Hall 1",
    "rows": [
        *({"row": row, "seats": 14, "aisles_after": [7]} for row in "ABCDEF"),
        {"row": "G", "seats": 14, "aisles_after": [7], "type": "VIP"},
        {"row": "H", "seats": 12, "accessible": [1, 12], "companion": [2, 11]},
    ],
}
MOVIES: Sequence[dict[str, Any]] = (
    {
        "title": "Calm before the Storm",
        "description": "Two keepers of a lighthouse wait for a ship that is long overdue.",
        "duration_minutes": 118,
        "release_date": "2025-10-09",
        "director": "Ada Łukasz",
        "cast": ["Zoë Ångström", "Émile Duval"],
        "genres": ["Drama"],
        "age_rating": "FSK 12",
    },
    {
        "title": "The Last Reel",
        "description": "A projectionist finds a film that nobody has shot.",
        "duration_minutes": 97,
        "release_date": "2024-03-21",
        "director": "Noor Haddad",
        "cast": ["Émile Duval"],
        "genres": ["Mystery", "Comedy"],
    },
)
EVENINGS = 3


def create_cinema(gateway_url: str, now: datetime, *, authorization: str) -> None:
    """Creates what is missing of the cinema, as the admin of `authorization`.

    Raises SampleDataError when the gateway refuses something.
    """
    api = _Api(gateway_url, authorization)
    movies = [
        api.find("movies", query=movie["title"], title=movie["title"]) or api.post("movies", movie)
        for movie in MOVIES
    ]
    theater = api.find("theaters", name=THEATER["name"]) or api.post("theaters", THEATER)
    rooms = theater["rooms"] or [api.post(f"theaters/{theater['id']}/rooms", ROOM)]
    if api.find("screenings", theater_id=theater["id"]) is None:
        for screening in _screenings(movies, rooms[0], now):
            api.post("screenings", screening)


def _screenings(
    movies: Sequence[dict[str, Any]], room: dict[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """Returns a screening of each movie on the next evenings."""
    evening = now.replace(hour=17, minute=0, second=0, microsecond=0)
    return [
        {
            "movie_id": movie["id"],
            "room_id": room["id"],
            "starts_at": rfc3339(evening + timedelta(days=day, hours=3 * place)),
            "price": {"amount_minor": 1200, "currency": "EUR"},
            "seat_type_prices": {"VIP": {"amount_minor": 1600, "currency": "EUR"}},
        }
        for day in range(1, EVENINGS + 1)
        for place, movie in enumerate(movies)
    ]


class _Api:
    """The cinema's endpoints, as an admin."""

    def __init__(self, gateway_url: str, authorization: str) -> None:
        self._url = f"{gateway_url}/api"
        self._authorization = authorization

    def find(self, resource: str, **wanted: object) -> dict[str, Any] | None:
        """Returns the first of a list that has these values.

        `query` and ids filter the list, the other values are compared.
        """
        asked = {name: value for name, value in wanted.items() if name not in {"name", "title"}}
        _, found = request(f"{self._url}/{resource}?{urlencode({'page_size': 200, **asked})}")
        named = {name: value for name, value in wanted.items() if name not in asked}
        return next((one for one in found if named.items() <= one.items()), None)

    def post(self, resource: str, body: dict[str, Any]) -> dict[str, Any]:
        """Creates something; raises SampleDataError when the gateway refuses it."""
        status, response = request(f"{self._url}/{resource}", body, self._authorization)
        if status != HTTPStatus.CREATED:
            raise SampleDataError(f"the gateway answered {status} to {resource}: {response}")
        created: dict[str, Any] = response
        return created
