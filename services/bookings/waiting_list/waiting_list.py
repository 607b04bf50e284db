"""Reads the waiting list: entries, positions and changes.

`inventory/waiting.py` decides who joins, leaves and is served.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.errors import BookingNotFound
from services.bookings.inventory import Seats
from services.bookings.tail import LedgerTail, LedgerWatcher
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.paging import FIRST, Page

# The position of `entry`. All entries before the head have left, so only those that left behind it
# are counted. No function, as Citus does not look into one; each part names the event, so that the
# whole statement runs where the event is.
_POSITION = """(
    SELECT entry.place - head.place + 1 - (
        SELECT count(*)
        FROM waiting_list AS gone
        WHERE gone.event_id = %(event_id)s
            AND gone.state <> 'WAITING'
            AND gone.place > head.place
            AND gone.place < entry.place
    )
    FROM waiting_list AS head
    WHERE head.event_id = %(event_id)s
        AND head.state = 'WAITING'
    ORDER BY head.place
    LIMIT 1
)"""
SQL = queries.load(__file__, position=_POSITION)
CHANGES_PAGE_SIZE = 200
WATCH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """The standing of a user with an event: booked, held, waiting, offered or none.

    `expires_at` is when held seats come free.
    """

    status: str
    position: int | None = None
    offer_expires_at: datetime | None = None
    expires_at: datetime | None = None


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
    """The state of an entry after a revision; `position` is the present one if it waits."""

    rev: int
    user_id: str
    state: str
    position: int | None
    booking_id: int | None
    changed_at: datetime


class WaitingList:
    """Reads the waiting lists of events."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def standing(self, event_id: int, user_id: str) -> Standing:
        """Reads the standing of a user with an event."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Standing))
            await cursor.execute(SQL["get_standing"], {"event_id": event_id, "user_id": user_id})
            return await cursor.fetchone() or Standing("none")

    async def entry(self, event_id: int, user_id: str) -> Entry:
        """Reads the latest entry of a user; raises BookingNotFound if there is none."""
        values = {"event_id": event_id, "user_id": user_id}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Entry))
            found = await (await cursor.execute(SQL["get_entry"], values)).fetchone()
        if found is None:
            raise BookingNotFound
        return found

    async def list_waiting(self, event: Seats, page: Page, viewer: Viewer) -> list[Entry]:
        """Lists the waiting users whom the viewer may see, and one more than the page has.

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

    async def watch(
        self, tail: LedgerTail, event: Seats, after: int
    ) -> AsyncGenerator[EntryChange, None]:
        """Yields the changes after a revision for a minute, or until the tail ends."""
        now = asyncio.get_running_loop().time
        ends_at = now() + WATCH_SECONDS
        with tail.watched(event.event_id, event.rev) as watcher:
            while now() < ends_at and not tail.has_ended:
                changes = await self.changes(event.event_id, after)
                for change in changes:
                    yield change
                    after = change.rev
                if not changes:
                    await _wait(watcher, ends_at)

    async def changes(self, event_id: int, after: int) -> list[EntryChange]:
        """Lists the next changes after a revision, in the order of their commits."""
        values = {"event_id": event_id, "after": after, "limit": CHANGES_PAGE_SIZE}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(EntryChange))
            return await (await cursor.execute(SQL["list_changes"], values)).fetchall()


async def _wait(watcher: LedgerWatcher, ends_at: float) -> None:
    """Waits for changes of which one is about the list; returns early if that is uncertain."""
    is_about_list = False
    while not is_about_list:
        await watcher.wait(ends_at)
        changes = watcher.take()
        is_about_list = not changes or any(change.place is not None for change in changes)
