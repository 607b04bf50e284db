"""Where and when events are, which tickets show. Bookings does not store it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

YEARS = range(1900, 9_900)


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when an event is, at a revision of the catalogue.

    `venue` and `room` are empty if there is none; only an event with a room has an end.
    """

    revision: int
    starts_at: datetime | None
    ends_at: datetime | None
    time_zone: str
    venue: str
    room: str

    def local(self, moment: datetime) -> datetime:
        """Returns a time of the event in the zone of its venue, in whole seconds.

        It stays in UTC if this process does not know the zone, or if it is in a year in which
        calculating with zones leaves the calendar.
        """
        whole = moment.astimezone(UTC).replace(microsecond=0)
        try:
            return whole.astimezone(ZoneInfo(self.time_zone)) if whole.year in YEARS else whole
        except (ZoneInfoNotFoundError, ValueError):
            return whole

    @property
    def name(self) -> str:
        """The venue and the room."""
        return ", ".join(filter(None, (self.venue, self.room)))


class Places(Protocol):
    """The service events, which knows the places."""

    async def get_place(self, event_id: int) -> Place:
        """Gets the place of an event; raises EventNotFound, or a Refusal if events is down."""
