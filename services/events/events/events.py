"""Events as clients see them: creating one, getting one, listing them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from psycopg.rows import class_row

from services.events.access import Viewer
from services.events.errors import EventExists, EventNotFound
from services.events.events import revisions, rules
from services.events.events.answers import Initialized, Outcome, Replay, Shown, Written, answer
from services.events.events.revisions import Event, Fields
from services.events.feed.bookings_client import Inventory, Seats
from services.events.idempotency import Idempotency, Request, Work
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.process.failpoints import failpoint
from services.kit.rpc.paging import Page, cut

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to list; None admits all."""

    status: str | None
    organizer_id: str | None
    query: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of events; `total` counts those on all pages where pages have numbers."""

    events: Sequence[Shown]
    next_page_token: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A published event of this key, which is its name, that the viewer may change."""

    key: str
    total_seats: int
    viewer: Viewer

    @property
    def fields(self) -> Fields:
        """What it is created with."""
        named = {"key": self.key, "name": self.key}
        return {**named, "total_seats": self.total_seats, "status": "PUBLISHED"}

    def is_met_by(self, event: Event) -> bool:
        """Tells whether an event of the key is this one, whoever made it and by which request."""
        is_live = event.deleted_at is None and event.status == "PUBLISHED"
        is_equal = event.total_seats == self.total_seats
        return is_live and is_equal and self.viewer.may_change(event)


class _Known(Exception):  # noqa: N818 - good news
    """There is the event that is wanted; only bookings knows how many of its seats are left."""

    def __init__(self, event_id: int) -> None:
        super().__init__(event_id)
        self.event_id = event_id


class Events:
    """Creates, finds and lists events. Asks bookings only how many seats are left."""

    def __init__(self, pool: Pool, inventory: Inventory, idempotency: Idempotency) -> None:
        self._pool = pool
        self._inventory = inventory
        self._idempotency = idempotency

    async def create(
        self, fields: Fields, viewer: Viewer, request: Request | None
    ) -> Shown | Replay:
        """Creates an event of the viewer's and tells bookings.

        Raises ValidationFailed, PermissionDenied and EventExists.
        """
        rules.check_new(fields)
        viewer.expect_to_create()
        insert = partial(_insert, fields=fields, organizer_id=viewer.organizer_id)
        return answer(await self._store(request, insert), Shown)

    async def initialize(
        self, key: str, total_seats: int, viewer: Viewer, request: Request | None
    ) -> Initialized | Replay:
        """Creates a published event of this key, or finds the one that this made before.

        Raises PermissionDenied, and EventExists when the key is that of any other event.
        """
        viewer.expect_to_create()
        wanted = Wanted(key, total_seats, viewer)
        try:
            outcome = await self._store(request, partial(_initialize, wanted=wanted))
        except _Known as known:
            seats = await self._inventory.seats([known.event_id])
            find = partial(_find, wanted=wanted, seats=seats.get(known.event_id))
            outcome = await self._store(request, find)
        return answer(outcome, Initialized)

    async def get(self, event_id: int, viewer: Viewer) -> Shown:
        """Finds an event; raises EventNotFound for one that the viewer may not see."""
        event = await self.get_state(event_id)
        if event.deleted_at is not None or not viewer.may_see(event):
            raise EventNotFound
        [shown] = await self._inventory.show([event])
        return shown

    async def get_state(self, event_id: int) -> Event:
        """Finds an event, deleted or not; raises EventNotFound when there never was one."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Event))
            await cursor.execute(SQL["get_event"], {"event_id": event_id})
            event = await cursor.fetchone()
        if event is None:
            raise EventNotFound
        return event

    async def get_state_of_key(self, key: str) -> Event:
        """Finds an event by its key, as `get_state` does by its number."""
        async with self._pool.connection() as connection:
            event = await _of_key(connection, key)
        if event is None:
            raise EventNotFound
        return event

    async def list(self, wanted: Filter, viewer: Viewer, page: Page) -> Listing:
        """Lists a page of the events that the viewer may see, newest first."""
        values = _bounds(wanted, viewer) | {"before": page.before, "limit": page.limit, "offset": 0}
        async with self._pool.connection() as connection:
            found, token = cut(await _select(connection, values), page)
        return Listing(await self._inventory.show(found), next_page_token=token)

    async def list_numbered(
        self, wanted: Filter, viewer: Viewer, page: Page, number: int
    ) -> Listing:
        """Lists the page of this number, from 1 on, and counts them all."""
        bounds = _bounds(wanted, viewer)
        position = {"limit": page.size, "offset": (number - 1) * page.size}
        async with self._pool.connection() as connection:
            found = await _select(connection, bounds | {"before": page.before} | position)
            counted = await connection.execute(SQL["count_events"], bounds, prepare=False)
            [total] = await counted.fetchone() or (0,)
        return Listing(await self._inventory.show(found), total=total)

    async def _store(self, request: Request | None, work: Work) -> Written | Replay:
        """Works once for a request, and tells bookings of what that made."""
        async with self._pool.connection() as connection, connection.transaction():
            outcome = await self._idempotency.once(connection, request, work)
            failpoint("events.create.written")
        failpoint("events.create.committed")
        if isinstance(outcome, Shown) or (isinstance(outcome, Initialized) and outcome.is_new):
            await self._inventory.push(outcome.event)
            failpoint("events.create.pushed")
        return outcome


async def _insert(connection: Connection, *, fields: Fields, organizer_id: str | None) -> Outcome:
    event = await revisions.create(connection, fields, organizer_id)
    if event is None:
        known = await _of_key(connection, fields["key"])
        raise EventExists(event_id=known and known.id)
    return Shown(event, event.total_seats)


async def _initialize(connection: Connection, *, wanted: Wanted) -> Outcome:
    """Creates the event; raises _Known, which undoes the transaction, if it is there already."""
    event = await revisions.create(connection, wanted.fields, wanted.viewer.organizer_id)
    if event is None:
        raise _Known((await _find(connection, wanted=wanted, seats=None)).event.id)
    return Initialized(event, is_new=True, available_seats=event.total_seats, waiting=0)


async def _find(connection: Connection, *, wanted: Wanted, seats: Seats | None) -> Initialized:
    """Finds the event if it is what is wanted; raises EventExists if it is another."""
    event = await _of_key(connection, wanted.key)
    if event is None or not wanted.is_met_by(event):
        raise EventExists(event_id=event and event.id)
    return Initialized(
        event,
        is_new=False,
        available_seats=seats.left if seats else None,
        waiting=seats.waiting if seats else None,
    )


async def _of_key(connection: Connection, key: str) -> Event | None:
    cursor = connection.cursor(row_factory=class_row(Event))
    return await (await cursor.execute(SQL["get_event_of_key"], {"key": key})).fetchone()


async def _select(connection: Connection, values: Mapping[str, object]) -> Sequence[Event]:
    # Planned anew each time: the best plan with a query differs from the one without.
    cursor = connection.cursor(row_factory=class_row(Event))
    return await (await cursor.execute(SQL["list_events"], values, prepare=False)).fetchall()


def _bounds(wanted: Filter, viewer: Viewer) -> dict[str, object]:
    return asdict(wanted) | {
        "changes_all": viewer.changes_all,
        "changes_ownerless": viewer.changes_ownerless,
        "subject": viewer.organizer_id,
    }
