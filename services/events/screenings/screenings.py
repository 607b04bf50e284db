"""Finds and lists screenings. They are created and changed as the events that they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from services.events.access import VISIBLE, Viewer
from services.events.errors import EventNotFound
from services.events.events import revisions
from services.events.events.bookings_client import BookingsClient
from services.events.events.events import Events, Listing
from services.events.events.results import EventDetails
from services.events.events.revisions import Event
from services.events.screenings.days import days
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.paging import FIRST, Page, cut

SQL = queries.load(__file__, columns=revisions.COLUMNS, visible=VISIBLE)
ALL_TIME: Mapping[str, object] = dict.fromkeys(("first", "last", "time_zones", "begins", "ends"))


@dataclass(frozen=True, slots=True)
class Filter:
    """Which screenings to list: on `day`, or else those that are not over; None admits all."""

    day: date | None
    movie_id: int | None
    theater_id: int | None
    room_id: int | None


class Screenings:
    """Finds and lists screenings."""

    def __init__(self, pool: Pool, events: Events, bookings: BookingsClient) -> None:
        self._pool = pool
        self._events = events
        self._bookings = bookings

    async def get(self, screening_id: int, viewer: Viewer) -> EventDetails:
        """Finds a screening; raises EventNotFound for what is none, or the viewer may not see."""
        details = await self._events.get(screening_id, viewer)
        if details.event.movie_id is None:
            raise EventNotFound
        return details

    async def list(self, wanted: Filter, viewer: Viewer, page: Page) -> Listing:
        """Lists a page of the screenings that the viewer may see, by their start."""
        # The start of the last screening of the page before is read again.
        after = None if page.before == FIRST else page.before
        position = {"after": after, "limit": page.limit, "offset": 0}
        async with self._pool.connection() as connection:
            bounds = await _bounds(connection, wanted, viewer)
            found, token = cut(await _select(connection, bounds | position), page)
        return Listing(await self._bookings.details(found), next_page_token=token)

    async def list_numbered(
        self, wanted: Filter, viewer: Viewer, page: Page, number: int
    ) -> Listing:
        """Lists the page of this number, from 1 on, and counts the screenings on all pages."""
        position = {"after": None, "limit": page.size, "offset": (number - 1) * page.size}
        async with self._pool.connection() as connection:
            bounds = await _bounds(connection, wanted, viewer)
            found = await _select(connection, bounds | position)
            counted = await connection.execute(SQL["count_screenings"], bounds, prepare=False)
            [total] = await counted.fetchone() or (0,)
        return Listing(await self._bookings.details(found), total=total)


async def _select(connection: Connection, values: Mapping[str, object]) -> Sequence[Event]:
    # Planned anew each time: the best plan depends on which filters are given.
    cursor = connection.cursor(row_factory=class_row(Event))
    return await (await cursor.execute(SQL["list_screenings"], values, prepare=False)).fetchall()


async def _bounds(connection: Connection, wanted: Filter, viewer: Viewer) -> dict[str, object]:
    filters = {
        "movie_id": wanted.movie_id,
        "theater_id": wanted.theater_id,
        "room_id": wanted.room_id,
    }
    times = ALL_TIME if wanted.day is None else await _times(connection, wanted.day)
    return {**filters, **viewer.values, **times}


async def _times(connection: Connection, day: date) -> Mapping[str, object]:
    """Returns from when to when the day is in each theater's time zone, and in all together."""
    rows = await (await connection.execute(SQL["list_time_zones"])).fetchall()
    try:
        found = days(day, ["UTC", *(time_zone for (time_zone,) in rows)])
    except OverflowError as error:
        late = Violation("date", "must be a day of the years 1 to 9999 in every time zone")
        raise ValidationFailed(violations=[late]) from error
    return {
        "first": min(zone.begins_at for zone in found),
        "last": max(zone.ends_at for zone in found),
        "time_zones": [zone.time_zone for zone in found],
        "begins": [zone.begins_at for zone in found],
        "ends": [zone.ends_at for zone in found],
    }
