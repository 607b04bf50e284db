"""The waiting list: where somebody stands in it, who is next, and serving those nobody else served.

Who joins, leaves and is served is decided in migrations/functions: book_tickets, cancel_ticket and
promote, all under the event's lock.
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg
import structlog
from psycopg.rows import class_row

from services.bookings import idempotency
from services.bookings.access import Viewer
from services.bookings.errors import AlreadyCancelled, BookingNotFound, EventNotFound
from services.bookings.idempotency import Key
from services.bookings.keys import Keys
from services.kit import queries
from services.kit.failpoints import failpoint
from services.kit.paging import FIRST, Page
from services.kit.postgres import Connection, Pool

SQL = queries.load(__file__)
OPERATION = "cancel_ticket"
SWEPT_AT_ONCE = 50
LAST_EVENT = 2**63 - 1
CHANGES_AT_ONCE = 200

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Tickets:
    """The seats of an event that goes by its key, at a revision of its inventory."""

    event_id: int
    key: str
    capacity: int
    available: int
    waiting: int
    rev: int
    is_draft: bool
    is_deleted: bool
    organizer_id: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user stands: booked, waiting, offered or none."""

    status: str
    position: int | None = None
    offer_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the list; `id` is its place, in the order of joining."""

    id: int
    user_id: str
    seat_count: int
    state: str
    position: int | None
    booking_id: int | None
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class EntryChange:
    """What became of an entry at a revision; `position` is that of now, if it still waits."""

    rev: int
    user_id: str
    state: str
    position: int | None
    booking_id: int | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Given:
    """A ticket or a place in line that was given back, and whether that served somebody."""

    outcome: str
    promoted: bool
    rev: int
    replayed: bool = False


class WaitingList:
    """Looks into the waiting lists of events, and takes people out of them."""

    def __init__(self, pool: Pool, keys: Keys) -> None:
        self._pool = pool
        self._keys = keys

    async def tickets(self, key: str, viewer: Viewer) -> Tickets:
        """Counts the tickets of an event; raises EventNotFound unless the viewer may see it."""
        event_id = await self._keys.event_id(key)
        async with self._pool.connection() as connection:
            return await _tickets(connection, event_id, viewer)

    async def place(self, event_id: int, user_id: str) -> Place:
        """Tells where a user stands with an event."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Place))
            await cursor.execute(SQL["get_place"], {"event_id": event_id, "user_id": user_id})
            return await cursor.fetchone() or Place("none")

    async def entry(self, event_id: int, user_id: str) -> Entry:
        """Gets a user's last entry; raises BookingNotFound if there never was one."""
        values = {"event_id": event_id, "user_id": user_id}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Entry))
            found = await (await cursor.execute(SQL["get_entry"], values)).fetchone()
        if found is None:
            raise BookingNotFound
        return found

    async def list_waiting(self, event: Tickets, page: Page, viewer: Viewer) -> list[Entry]:
        """Lists who waits, in order, as far as the viewer may see; one more than the page has.

        Raises PermissionDenied.
        """
        viewer.expect_to_list_event(event.organizer_id)
        values = {
            "event_id": event.event_id,
            "organizer_id": event.organizer_id,
            "after": 0 if page.before == FIRST else page.before,
            "limit": page.limit,
            **viewer.rows(),
        }
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Entry))
            return await (await cursor.execute(SQL["list_waiting"], values)).fetchall()

    async def changes(self, event_id: int, after: int) -> list[EntryChange]:
        """Lists the next changes after a revision, in the order of commits."""
        values = {"event_id": event_id, "after": after, "limit": CHANGES_AT_ONCE}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(EntryChange))
            return await (await cursor.execute(SQL["list_changes"], values)).fetchall()

    async def set_skip_fit(self, event_id: int, seconds: int | None) -> None:
        """Says after how long smaller parties may pass the head of an event's list."""
        async with self._pool.connection() as connection:
            values = {"event_id": event_id, "seconds": seconds}
            await connection.execute(SQL["set_skip_fit"], values)

    async def give_back(self, key: str, user_id: str, viewer: Viewer, request_id: str) -> Given:
        """Cancels a user's ticket or takes them off the list, once for each idempotency key.

        Raises EventNotFound, BookingNotFound, AlreadyCancelled, RequestInProgress and
        IdempotencyKeyReused.
        """
        event_id = await self._keys.event_id(key)
        asked = idempotency.fingerprint(OPERATION, event_id, user_id)
        keyed = Key(viewer.key_owner, OPERATION, request_id, asked) if request_id else None
        async with self._pool.connection() as connection, connection.transaction():
            given = keyed and await _recalled(connection, keyed)
            if not given:
                await _tickets(connection, event_id, viewer)
                given = await _give_back(connection, event_id, user_id, keyed)
        failpoint("bookings.give_back.committed")
        if given.outcome == AlreadyCancelled.reason:
            raise AlreadyCancelled(
                inventory_revision=given.rev, replayed="true" if given.replayed else None
            )
        return given

    async def sweep(self) -> bool:
        """Expires what is held too long and serves who waits, where nothing else has done it.

        An event whose rows contradict each other does not stop the others: its IntegrityError is
        raised when they are done.
        """
        failed: psycopg.IntegrityError | None = None
        first = 0
        while True:
            try:
                swept = await self._sweep(first, LAST_EVENT)
            except psycopg.IntegrityError as error:
                failed, swept = error, await self._sweep_apart(first)
            if len(swept) < SWEPT_AT_ONCE:
                break
            first = swept[-1] + 1
        if failed:
            raise failed
        return False

    async def _sweep(self, first: int, last: int) -> list[int]:
        """Serves the next events, all or none."""
        values = {"first": first, "last": last, "limit": SWEPT_AT_ONCE}
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(SQL["sweep"], values)).fetchall()
        return [event_id for event_id, _ in rows]

    async def _sweep_apart(self, first: int) -> list[int]:
        """Serves the same events one by one, but for those that fail."""
        values = {"first": first, "limit": SWEPT_AT_ONCE}
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(SQL["list_due"], values)).fetchall()
        for (event_id,) in rows:
            try:
                await self._sweep(event_id, event_id)
            except psycopg.IntegrityError:
                log.warning("event cannot be swept", event_id=event_id)
        return [event_id for (event_id,) in rows]


async def _tickets(connection: Connection, event_id: int, viewer: Viewer) -> Tickets:
    """Counts the tickets of an event; raises EventNotFound unless the viewer may see it."""
    cursor = connection.cursor(row_factory=class_row(Tickets))
    found = await (await cursor.execute(SQL["count_tickets"], {"event_id": event_id})).fetchone()
    if found is None or found.is_deleted:
        raise EventNotFound
    if found.is_draft and not viewer.owns(found.organizer_id):
        raise EventNotFound
    return found


async def _recalled(connection: Connection, key: Key) -> Given | None:
    """Finds what came of a request when its key was first used."""
    stored = await idempotency.claim(connection, key)
    if stored is None:
        return None
    row = await (await connection.execute(SQL["get_promoted"], key.values)).fetchone()
    return Given(stored.outcome, bool(row and row[0]), stored.rev, replayed=True)


async def _give_back(connection: Connection, event_id: int, user_id: str, key: Key | None) -> Given:
    values = {"event_id": event_id, "user_id": user_id}
    row = await (await connection.execute(SQL["cancel_ticket"], values)).fetchone()
    if row is None or row[0] == BookingNotFound.reason:
        raise BookingNotFound
    failpoint("bookings.give_back.promoted")
    outcome, booking_id, rev, promoted = row
    if key:
        await idempotency.remember(connection, key, outcome, (event_id, booking_id), rev)
        kept = key.values | {"promoted": bool(promoted)}
        await connection.execute(SQL["keep_promoted"], kept)
    failpoint("bookings.give_back.remembered")
    return Given(outcome, bool(promoted), rev)
