"""Events as clients see them: creating one, getting one, listing them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from psycopg.rows import class_row

from services.events import revisions, rules
from services.events.access import Viewer
from services.events.answers import Outcome, Replay, Shown, answer
from services.events.errors import EventExists, EventNotFound
from services.events.idempotency import Idempotency, Request
from services.events.inventory import Inventory, Seats
from services.events.revisions import Event, Fields
from services.kit import queries
from services.kit.failpoints import failpoint
from services.kit.paging import Page, cut
from services.kit.postgres import Connection, Pool

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
        async with self._pool.connection() as connection, connection.transaction():
            outcome = await self._idempotency.once(connection, request, insert)
            failpoint("events.create.written")
        failpoint("events.create.committed")
        if isinstance(outcome, Shown):
            await self._inventory.push(outcome.event)
            failpoint("events.create.pushed")
        return answer(outcome, Shown)

    async def get(self, event_id: int, viewer: Viewer) -> Shown:
        """Finds an event; raises EventNotFound for one that the viewer may not see."""
        event = await self.get_state(event_id)
        if event.deleted_at is not None or not viewer.may_see(event):
            raise EventNotFound
        [shown] = await self._show([event])
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

    async def list(self, wanted: Filter, viewer: Viewer, page: Page) -> Listing:
        """Lists a page of the events that the viewer may see, newest first."""
        values = _bounds(wanted, viewer) | {"before": page.before, "limit": page.limit, "offset": 0}
        async with self._pool.connection() as connection:
            found, token = cut(await _select(connection, values), page)
        return Listing(await self._show(found), next_page_token=token)

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
        return Listing(await self._show(found), total=total)

    async def _show(self, events: Sequence[Event]) -> Sequence[Shown]:
        seats = await self._inventory.seats([e.id for e in events if e.status != "DRAFT"])
        return [Shown(event, _left(event, seats.get(event.id))) for event in events]


async def _insert(connection: Connection, *, fields: Fields, organizer_id: str | None) -> Outcome:
    event = await revisions.create(connection, fields, organizer_id)
    if event is None:
        found = await connection.execute(SQL["get_event_of_key"], {"key": fields["key"]})
        [event_id] = await found.fetchone() or (None,)
        raise EventExists(event_id=event_id)
    return Shown(event, event.total_seats)


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


def _left(event: Event, seats: Seats | None) -> int | None:
    """Tells how many seats are left; nothing of a draft is ever booked."""
    if event.status == "DRAFT":
        return event.total_seats
    return seats.left if seats else None
