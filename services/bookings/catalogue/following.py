"""Following the catalogue: applies each of its changes to the inventory.

The position in the feed moves after the changes up to it are committed; applying them again
changes nothing. If the feed no longer reaches back to the position, or a restored catalogue has
begun another epoch, all events are listed and applied again.
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
from services.bookings.inventory import EventState, FeedPosition, Inventory
from services.bookings.inventory.commands import PositionMoved
from services.kit.concurrency.outage import Outage
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.process.failpoints import failpoint
from services.kit.rpc.errors import Refusal, Unavailable

SQL = queries.load(__file__)
CHANGES_PAGE_SIZE = 100
STATES_PAGE_SIZE = 500
LEFT_OVER_CHUNK = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page of the feed: changes, the position after them, and the time of the first one."""

    states: Sequence[EventState]
    position: FeedPosition
    oldest_at: datetime | None
    is_last: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the states of all events, with the position in the feed at which it was read."""

    states: Sequence[EventState]
    position: FeedPosition


class Feed(Protocol):
    """The feed of the catalogue."""

    async def list_changes(self, position: FeedPosition, limit: int) -> FeedPage:
        """Lists the changes after a position; raises HistoryGone, or another Refusal."""

    async def list_states(self, after_event_id: int, limit: int) -> Listing:
        """Lists the states of events with higher numbers, in their order; raises a Refusal."""


class Follower:
    """Keeps the inventory in step with the catalogue."""

    def __init__(self, pool: Pool, feed: Feed, inventory: Inventory) -> None:
        self._pool = pool
        self._inventory = inventory
        self._feed = feed
        self._heard_at = time.monotonic()
        self._outage = Outage("catalogue cannot be followed")

    async def position(self) -> FeedPosition:
        """Reads the position in the feed up to which changes are applied."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(FeedPosition))
            found = await (await cursor.execute(SQL["get_place"])).fetchone()
        if found is None:
            raise LookupError("the position in the feed is gone")
        return found

    async def expect(self, epoch: str) -> None:
        """Raises Unavailable if the epoch is not the one that is followed."""
        followed = (await self.position()).epoch
        if followed not in ("", epoch):
            raise Unavailable

    async def follow(self) -> bool:
        """Applies the next changes; returns whether there are more."""
        try:
            return await self._follow_from(await self.position())
        except PositionMoved:
            return True
        except Refusal as refusal:
            metrics.LAG_SECONDS.set(time.monotonic() - self._heard_at)
            self._outage.record_failure(refusal.reason)
            return False

    async def _follow_from(self, position: FeedPosition) -> bool:
        try:
            page = await self._feed.list_changes(position, CHANGES_PAGE_SIZE)
        except HistoryGone:
            await self._start_over(position)
            return True
        self._heard_at = time.monotonic()
        self._outage.record_answer()
        metrics.LAG_SECONDS.set(_age(page.oldest_at))
        if page.position != position:
            await self._advance(position, page)
        return not page.is_last

    async def _advance(self, position: FeedPosition, page: FeedPage) -> None:
        """Applies the changes of a page and moves the position."""
        failpoint("bookings.follow.fetched")
        await self._inventory.apply_all(_latest(page.states))
        failpoint("bookings.follow.applied")
        await self._move(position, page.position)
        failpoint("bookings.follow.committed")

    async def _start_over(self, left: FeedPosition) -> None:
        """Applies the states of all events. If this fails, the next call starts again."""
        log.warning("catalogue is listed anew")
        position = await self._apply_listing(left)
        failpoint("bookings.follow.listed")
        await self._close_left_over(left, position.epoch)
        failpoint("bookings.follow.buried")
        await self._move(left, position)

    async def _apply_listing(self, left: FeedPosition) -> FeedPosition:
        """Applies the states of all events; returns the position from which to follow."""
        start: FeedPosition | None = None
        after = 0
        while True:
            listing = await self._feed.list_states(after, STATES_PAGE_SIZE)
            start = start or listing.position
            if {listing.position.epoch, *(state.epoch for state in listing.states)} != {
                start.epoch
            }:
                # Another epoch has begun during the listing: list again.
                start, after = None, 0
                continue
            await self._inventory.apply_all(listing.states, begins_epoch=True, position=left)
            if len(listing.states) < STATES_PAGE_SIZE:
                return start
            after = listing.states[-1].event_id

    async def _close_left_over(self, left: FeedPosition, epoch: str) -> None:
        """Closes the events that the restored catalogue does not have."""
        while rows := await self._left_over(epoch):
            gone = [
                EventState(event_id, 0, name, capacity, "CANCELLED", deleted=True, epoch=epoch)
                for event_id, name, capacity in rows
            ]
            await self._inventory.apply_all(gone, begins_epoch=True, position=left)

    async def _left_over(self, epoch: str) -> Sequence[tuple[int, str, int]]:
        """Lists events of an earlier epoch."""
        values = {"epoch": epoch, "limit": LEFT_OVER_CHUNK}
        async with self._pool.connection() as connection:
            return await (await connection.execute(SQL["list_left_over"], values)).fetchall()

    async def _move(self, left: FeedPosition, position: FeedPosition) -> None:
        """Moves the position in the feed.

        Raises PositionMoved if another replica has moved it meanwhile.
        """
        values = asdict(position) | {"left_epoch": left.epoch, "left_sequence": left.sequence}
        async with self._pool.connection() as connection:
            moved = await connection.execute(SQL["move_place"], values)
        if not moved.rowcount:
            raise PositionMoved


def _latest(states: Sequence[EventState]) -> list[EventState]:
    """Keeps the latest state of each event."""
    latest = {state.event_id: state for state in states}
    return list(latest.values())


def _age(moment: datetime | None) -> float:
    return (datetime.now(UTC) - moment).total_seconds() if moment else 0.0
