"""Following the catalogue: every change of it is applied here, whatever got lost on the way.

The place in the feed moves once its effects are committed; applying them again changes nothing.
Where the feed does not reach back to it, or a restored catalogue has begun another epoch, all
events are listed and applied anew.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog
from psycopg.rows import class_row

from services.bookings import metrics
from services.bookings.errors import HistoryGone
from services.bookings.inventory import EventState, Inventory, Place
from services.bookings.inventory.commands import Overtaken
from services.kit.concurrency.outage import Outage
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.process.failpoints import failpoint
from services.kit.rpc.errors import Refusal, Unavailable

SQL = queries.load(__file__)
CHANGES_AT_ONCE = 100
STATES_AT_ONCE = 500
BURIED_AT_ONCE = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Changes after a place, the place they lead to, and when the first of them was made."""

    states: Sequence[EventState]
    place: Place
    oldest_at: datetime | None
    is_last: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """States of all events after a number, and the place in the feed that they stand for."""

    states: Sequence[EventState]
    place: Place


class Feed(Protocol):
    """What there is to follow."""

    async def list_changes(self, place: Place, limit: int) -> FeedPage:
        """Lists what changed since; raises HistoryGone, or another Refusal for no answer."""

    async def list_states(self, after_event_id: int, limit: int) -> Listing:
        """Lists the states of all events; raises a Refusal for no answer."""


class Follower:
    """Keeps the inventory in step with the catalogue."""

    def __init__(self, pool: Pool, feed: Feed, inventory: Inventory) -> None:
        self._pool = pool
        self._inventory = inventory
        self._feed = feed
        self._heard_at = time.monotonic()
        self._outage = Outage("catalogue cannot be followed")

    async def place(self) -> Place:
        """Tells how far the catalogue's changes are applied."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Place))
            found = await (await cursor.execute(SQL["get_place"])).fetchone()
        if found is None:
            raise LookupError("the place in the feed is gone")
        return found

    async def expect(self, epoch: str) -> None:
        """Raises Unavailable for an epoch that is not followed yet: nothing of it is decided."""
        followed = (await self.place()).epoch
        if followed not in ("", epoch):
            raise Unavailable

    async def follow(self) -> bool:
        """Applies the next changes; tells whether there are more at once."""
        try:
            return await self._follow_from(await self.place())
        except Overtaken:
            return True
        except Refusal as refusal:
            metrics.LAG_SECONDS.set(time.monotonic() - self._heard_at)
            self._outage.record_failure(refusal.reason)
            return False

    async def _follow_from(self, place: Place) -> bool:
        try:
            page = await self._feed.list_changes(place, CHANGES_AT_ONCE)
        except HistoryGone:
            await self._start_over(place)
            return True
        self._heard_at = time.monotonic()
        self._outage.record_answer()
        metrics.LAG_SECONDS.set(_age(page.oldest_at))
        if page.place != place:
            await self._advance(place, page)
        return not page.is_last

    async def _advance(self, place: Place, page: FeedPage) -> None:
        """Applies the changes of a page and moves the place."""
        failpoint("bookings.follow.fetched")
        await self._inventory.apply_all(_latest(page.states))
        failpoint("bookings.follow.applied")
        await self._move(place, page.place)
        failpoint("bookings.follow.committed")

    async def _start_over(self, left: Place) -> None:
        """Applies the listing of all events; if the catalogue fails meanwhile, nothing is lost."""
        log.warning("catalogue is listed anew")
        place = await self._apply_listing(left)
        failpoint("bookings.follow.listed")
        await self._bury_left_over(left, place.epoch)
        failpoint("bookings.follow.buried")
        await self._move(left, place)

    async def _apply_listing(self, left: Place) -> Place:
        """Applies all there is, and gives the place from which to follow then."""
        start: Place | None = None
        after = 0
        while True:
            listing = await self._feed.list_states(after, STATES_AT_ONCE)
            start = start or listing.place
            if {listing.place.epoch, *(state.epoch for state in listing.states)} != {start.epoch}:
                # Another epoch has begun meanwhile.
                start, after = None, 0
                continue
            await self._inventory.apply_all(listing.states, begins_epoch=True, place=left)
            if len(listing.states) < STATES_AT_ONCE:
                return start
            after = listing.states[-1].event_id

    async def _bury_left_over(self, left: Place, epoch: str) -> None:
        """Closes the events that the restored catalogue has never heard of."""
        while rows := await self._left_over(epoch):
            gone = [
                EventState(event_id, 0, name, capacity, "CANCELLED", deleted=True, epoch=epoch)
                for event_id, name, capacity in rows
            ]
            await self._inventory.apply_all(gone, begins_epoch=True, place=left)

    async def _left_over(self, epoch: str) -> Sequence[tuple[int, str, int]]:
        """Lists events of an earlier epoch."""
        values = {"epoch": epoch, "limit": BURIED_AT_ONCE}
        async with self._pool.connection() as connection:
            return await (await connection.execute(SQL["list_left_over"], values)).fetchall()

    async def _move(self, left: Place, place: Place) -> None:
        """Notes how far the changes are applied.

        Raises Overtaken when another replica has moved the place before: what it has followed since
        must not be undone.
        """
        values = asdict(place) | {"left_epoch": left.epoch, "left_sequence": left.sequence}
        async with self._pool.connection() as connection:
            moved = await connection.execute(SQL["move_place"], values)
        if not moved.rowcount:
            raise Overtaken


def _latest(states: Sequence[EventState]) -> list[EventState]:
    """Keeps the last state of each event."""
    latest = {state.event_id: state for state in states}
    return list(latest.values())


def _age(moment: datetime | None) -> float:
    return (datetime.now(UTC) - moment).total_seconds() if moment else 0.0
