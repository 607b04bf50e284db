"""The sample cinema: movies, a theater with two rooms, and the screenings of a week."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from deploy.local.samples.client import Client
from deploy.local.samples.rooms import CINEMA, HALL_1, HALL_2

DAYS = 7
LARGEST_PAGE = 200

Body = Mapping[str, Any]

MOVIES: Sequence[Body] = (
    {
        "title": "Low Tide",
        "description": "A harbour pilot, a ferry without lights, and six hours until the flood.",
        "duration_minutes": 107,
        "release_date": "2025-09-18",
        "director": "Ingrid Sørlie",
        "cast": ["Mads Halvorsen", "Clara Nyström"],
        "genres": ["Drama", "Thriller"],
        "age_rating": "12",
    },
    {
        "title": "Zürich Express",
        "description": "Two thieves, one suitcase, and a night train that does not stop.",
        "duration_minutes": 118,
        "release_date": "2026-02-05",
        "director": "Łucja Wrona",
        "cast": ["Émile Girard", "Noor van Dijk"],
        "genres": ["Comedy", "Crime"],
        "age_rating": "12",
    },
    {
        "title": "Åsa and the Whale",
        "description": "A girl teaches a whale to sing, or is it the other way round?",
        "duration_minutes": 84,
        "release_date": "2026-06-25",
        "director": "Pär Lindqvist",
        "genres": ["Animation", "Family"],
        "age_rating": "0",
    },
)

PRICES: Body = {
    "price": {"amount_minor": 1150, "currency": "EUR"},
    "seat_type_prices": {"VIP": {"amount_minor": 1550, "currency": "EUR"}},
}
SHOWS = ((HALL_1, time(17)), (HALL_1, time(20, 15)), (HALL_2, time(20)))
"""The room and the hour of each movie, every day."""


def load_movies(client: Client) -> list[int]:
    """Creates the movies that are missing; returns the numbers of all."""
    return [_movie(client, movie) for movie in MOVIES]


def load_screenings(
    client: Client, movies: Sequence[int], rooms: Mapping[str, int], now: datetime
) -> None:
    """Creates the screenings of the coming week that are missing.

    `rooms` are numbers by name. Where another event has the room, there is no screening.
    """
    shown = {
        (one["room_id"], datetime.fromisoformat(one["starts_at"]))
        for room_id in {rooms[room["name"]] for room, _ in SHOWS}
        for one in client.list("/api/screenings", room_id=room_id, page_size=LARGEST_PAGE)
    }
    for screening in screenings(movies, rooms, now):
        if (screening["room_id"], screening["starts_at"]) not in shown:
            body = {**screening, "starts_at": screening["starts_at"].isoformat()}
            client.ensure("/api/screenings", body, exists="room_occupied")


def screenings(
    movies: Sequence[int], rooms: Mapping[str, int], now: datetime
) -> Iterator[dict[str, Any]]:
    """Yields the screenings of the week after `now`."""
    zone = ZoneInfo(CINEMA["time_zone"])
    today = now.astimezone(zone).date()
    for day in range(1, DAYS + 1):
        for movie_id, (room, hour) in zip(movies, SHOWS, strict=True):
            starts_at = datetime.combine(today + timedelta(days=day), hour, zone)
            times = {"room_id": rooms[room["name"]], "starts_at": starts_at.astimezone(UTC)}
            yield {"movie_id": movie_id, **times, **PRICES}


def _movie(client: Client, movie: Body) -> int:
    found = client.list("/api/movies", query=movie["title"], page_size=LARGEST_PAGE)
    known = (one["id"] for one in found if one["title"] == movie["title"])
    number = next(known, None) or client.create("/api/movies", movie)["id"]
    return int(number)
