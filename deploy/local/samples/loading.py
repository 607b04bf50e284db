"""Loads all sample data, at the start of a run and by `boxoffice seed`."""

from dataclasses import dataclass
from datetime import datetime

from deploy.local.samples.cinema import load_movies, load_screenings
from deploy.local.samples.client import Client
from deploy.local.samples.events import FIRST_EVENT, load_events, sample_events
from deploy.local.samples.rooms import GREAT_HALL, HALL_1, load_rooms


@dataclass(frozen=True, slots=True)
class Samples:
    """An event and a screening to try things on; None if all of them were deleted."""

    event_id: int | None = None
    screening_id: int | None = None


def load(admin: Client, organizer: Client, now: datetime) -> Samples:
    """Creates what is missing: the cinema as an admin, the events as `organizer`.

    Raises SampleDataError if the gateway refuses any of it.
    """
    rooms, movies = load_rooms(admin), load_movies(admin)
    load_events(organizer, sample_events(now, rooms[GREAT_HALL["name"]]))
    load_screenings(admin, movies, rooms, now)
    return _find(organizer, rooms[HALL_1["name"]])


def _find(client: Client, room_id: int) -> Samples:
    events = client.list("/events", query=FIRST_EVENT["name"])
    screenings = client.list("/api/screenings", room_id=room_id, page_size=1)
    return Samples(
        next((event["id"] for event in events if event["key"] == FIRST_EVENT["key"]), None),
        next((screening["id"] for screening in screenings), None),
    )
