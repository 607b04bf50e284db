"""Creates, finds and lists events."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from psycopg.rows import class_row

from services.events.access import VISIBLE, Viewer
from services.events.errors import EventExists, EventNotFound
from services.events.events import placing, revisions, rules
from services.events.events.bookings_client import Availability, BookingsClient
from services.events.events.results import (
    CreatedEvent,
    EventDetails,
    ExistingEvent,
    InitializedEvent,
    Outcome,
    Place,
    expect,
)
from services.events.events.revisions import Event, Fields
from services.events.idempotency import Idempotency, Replayed
from services.kit.database import queries
from services.kit.database.idempotency import Key
from services.kit.database.postgres import Connection, Pool
from services.kit.process.failpoints import failpoint
from services.kit.rpc.paging import Page, cut

SQL = queries.load(__file__, columns=revisions.COLUMNS, visible=VISIBLE)


Work = Callable[[Connection], Awaitable[CreatedEvent | InitializedEvent | ExistingEvent]]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to list; None admits all."""

    status: str | None
    organizer_id: str | None
    query: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of events; `total` counts those on all pages where pages have numbers."""

    events: Sequence[EventDetails]
    next_page_token: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True)
class WantedEvent:
    """A published event to initialize: its key is its name, and the viewer may change it."""

    key: str
    total_seats: int
    viewer: Viewer

    @property
    def fields(self) -> Fields:
        """The fields that it is created with."""
        named = {"key": self.key, "name": self.key}
        return {**named, "total_seats": self.total_seats, "status": "PUBLISHED"}

    def is_met_by(self, event: Event) -> bool:
        """Returns whether an existing event of the key fits, whoever created it."""
        is_live = event.deleted_at is None and event.status == "PUBLISHED"
        is_equal = event.total_seats == self.total_seats
        return is_live and is_equal and self.viewer.may_change(event)


class Events:
    """Creates, finds and lists events. Asks bookings only how many seats are left."""

    def __init__(self, pool: Pool, bookings: BookingsClient, idempotency: Idempotency) -> None:
        self._pool = pool
        self._bookings = bookings
        self._idempotency = idempotency

    async def create(
        self, fields: Fields, viewer: Viewer, key: Key | None
    ) -> CreatedEvent | Replayed:
        """Creates an event that the viewer owns, and pushes it to bookings.

        With a movie it is a screening, and has the movie's title as its name. Raises
        ValidationFailed, PermissionDenied, EventExists, MovieNotFound, RoomNotFound, RoomOccupied.
        """
        rules.check_new(fields)
        viewer.expect_to_create()
        insert = partial(_insert, fields=fields, organizer_id=viewer.organizer_id)
        return expect(await self._create(key, insert), CreatedEvent)

    async def initialize(self, wanted: WantedEvent, key: Key | None) -> InitializedEvent | Replayed:
        """Creates a published event, or finds the one that an earlier request created.

        Raises PermissionDenied, and EventExists when another event has the wanted event's key.
        """
        wanted.viewer.expect_to_create()
        outcome = await self._create(key, partial(_initialize, wanted=wanted))
        if isinstance(outcome, ExistingEvent):
            counted = await self._bookings.availability([outcome.event_id])
            find = partial(_find, wanted=wanted, counted=counted.get(outcome.event_id))
            outcome = await self._create(key, find)
        return expect(outcome, InitializedEvent)

    async def get(self, event_id: int, viewer: Viewer) -> EventDetails:
        """Finds an event; raises EventNotFound for one that the viewer may not see."""
        event = await self.get_state(event_id)
        if event.deleted_at is not None or not viewer.may_see(event):
            raise EventNotFound
        [details] = await self._bookings.details([event])
        return details

    async def get_state(self, event_id: int) -> Event:
        """Finds an event, even a deleted one; raises EventNotFound if there never was one."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Event))
            await cursor.execute(SQL["get_event"], {"event_id": event_id})
            event = await cursor.fetchone()
        if event is None:
            raise EventNotFound
        return event

    async def get_state_of_key(self, key: str) -> Event:
        """Finds an event by its key, as `get_state` does by its id."""
        async with self._pool.connection() as connection:
            event = await _of_key(connection, key)
        if event is None:
            raise EventNotFound
        return event

    async def get_place(self, event_id: int) -> Place:
        """Finds where and when an event is, as `get_state` finds the event."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Place))
            place = await (
                await cursor.execute(SQL["get_place"], {"event_id": event_id})
            ).fetchone()
        if place is None:
            raise EventNotFound
        return place

    async def list(self, wanted: Filter, viewer: Viewer, page: Page) -> Listing:
        """Lists a page of the events that the viewer may see, newest first."""
        values = _bounds(wanted, viewer) | {"before": page.before, "limit": page.limit, "offset": 0}
        async with self._pool.connection() as connection:
            found, token = cut(await _select(connection, values), page)
        return Listing(await self._bookings.details(found), next_page_token=token)

    async def list_numbered(
        self, wanted: Filter, viewer: Viewer, page: Page, number: int
    ) -> Listing:
        """Lists the page of this number, from 1 on, and counts the events on all pages."""
        bounds = _bounds(wanted, viewer)
        position = {"limit": page.size, "offset": (number - 1) * page.size}
        async with self._pool.connection() as connection:
            found = await _select(connection, bounds | {"before": page.before} | position)
            counted = await connection.execute(SQL["count_events"], bounds, prepare=False)
            [total] = await counted.fetchone() or (0,)
        return Listing(await self._bookings.details(found), total=total)

    async def _create(self, key: Key | None, work: Work) -> Outcome:
        """Works once for a request, and pushes the event that it created to bookings."""
        async with self._pool.connection() as connection, connection.transaction():
            outcome = await self._idempotency.once(connection, key, work)
            failpoint("events.create.written")
        failpoint("events.create.committed")
        if isinstance(outcome, CreatedEvent) or (
            isinstance(outcome, InitializedEvent) and outcome.is_new
        ):
            await self._bookings.push(outcome.event)
            failpoint("events.create.pushed")
        return outcome


async def _insert(
    connection: Connection, *, fields: Fields, organizer_id: str | None
) -> CreatedEvent:
    fields = await placing.placed(connection, None, fields)
    event = await revisions.create(connection, fields, organizer_id)
    if event is None:
        existing = await _of_key(connection, fields["key"])
        raise EventExists(event_id=existing and existing.id)
    return CreatedEvent(event)


async def _initialize(
    connection: Connection, *, wanted: WantedEvent
) -> InitializedEvent | ExistingEvent:
    """Creates the event, unless it exists already; raises EventExists if another has its key."""
    event = await revisions.create(connection, wanted.fields, wanted.viewer.organizer_id)
    if event is None:
        return ExistingEvent((await _find(connection, wanted=wanted, counted=None)).event.id)
    return InitializedEvent(event, is_new=True, available_seats=event.total_seats, waiting=0)


async def _find(
    connection: Connection, *, wanted: WantedEvent, counted: Availability | None
) -> InitializedEvent:
    """Finds the wanted event; raises EventExists if another event has its key."""
    event = await _of_key(connection, wanted.key)
    if event is None or not wanted.is_met_by(event):
        raise EventExists(event_id=event and event.id)
    return InitializedEvent(
        event,
        is_new=False,
        available_seats=counted.left if counted else None,
        waiting=counted.waiting if counted else None,
    )


async def _of_key(connection: Connection, key: str) -> Event | None:
    cursor = connection.cursor(row_factory=class_row(Event))
    return await (await cursor.execute(SQL["get_event_of_key"], {"key": key})).fetchone()


async def _select(connection: Connection, values: Mapping[str, object]) -> Sequence[Event]:
    # Planned anew each time: the best plan with a query differs from the one without.
    cursor = connection.cursor(row_factory=class_row(Event))
    return await (await cursor.execute(SQL["list_events"], values, prepare=False)).fetchall()


def _bounds(wanted: Filter, viewer: Viewer) -> dict[str, object]:
    return asdict(wanted) | viewer.values
