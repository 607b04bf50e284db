"""Looking for what must never be: an event that differs from the catalogue, or counts wrongly.

What merely has not arrived yet is applied. What is wrong is logged, counted and frozen: the event
sells nothing until somebody has looked. Nothing is ever corrected here.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from psycopg.rows import class_row

from services.bookings import metrics
from services.bookings.catalogue.following import STATES_AT_ONCE, Feed, Follower
from services.bookings.inventory import EventState, Inventory
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal

SQL = queries.load(__file__)
AUDITS_AT_ONCE = 200
# An event with millions of bookings takes its time to count; nobody waits for it.
AUDIT_SECONDS = 60

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force of an event."""

    event_id: int
    epoch: str
    catalogue_rev: int
    capacity: int
    status: str
    deleted: bool

    def lacks(self, state: EventState) -> bool:
        """Tells whether a state has not arrived here yet."""
        return state.epoch == self.epoch and state.rev > self.catalogue_rev

    def differs(self, state: EventState) -> bool:
        """Tells whether the same revision says something else here than in the catalogue."""
        return (state.epoch, state.rev) == (self.epoch, self.catalogue_rev) and (
            (state.capacity, state.status, state.deleted)
            != (self.capacity, self.status, self.deleted)
        )


@dataclass(frozen=True, slots=True)
class Audit:
    """Whether an event's counters, bookings and ledger agree at a revision."""

    event_id: int
    rev: int
    agrees: bool


class Reconciler:
    """Compares the inventory with the catalogue, and with itself."""

    def __init__(self, pool: Pool, inventory: Inventory, follower: Follower, feed: Feed) -> None:
        self._pool = pool
        self._inventory = inventory
        self._follower = follower
        self._feed = feed

    async def reconcile(self) -> bool:
        """Makes one full pass; there is never a reason to come back at once."""
        started = time.monotonic()
        try:
            metrics.DRIFT.labels("catalogue").set(await self._compare())
        except Refusal as refusal:
            log.warning("catalogue cannot be compared", reason=refusal.reason)
        metrics.DRIFT.labels("counters").set(await self._audit())
        metrics.RECONCILED_SECONDS.set(time.monotonic() - started)
        return False

    async def _compare(self) -> int:
        """Compares all events with the catalogue; gives the number of those that differ."""
        followed = (await self._follower.place()).epoch
        after, differing = 0, 0
        while True:
            listing = await self._feed.list_states(after, STATES_AT_ONCE)
            if listing.place.epoch == followed:
                differing += await self._compare_page(listing.states)
            if len(listing.states) < STATES_AT_ONCE:
                return differing
            after = listing.states[-1].event_id

    async def _compare_page(self, states: Sequence[EventState]) -> int:
        stocks = await self._stocks([state.event_id for state in states])
        differing = 0
        for state in states:
            stock = stocks.get(state.event_id)
            if stock is None or stock.lacks(state):
                await self._inventory.apply(state)
            elif stock.differs(state):
                differing += 1
                await self._freeze(state.event_id, "CATALOGUE", state)
        return differing

    async def _stocks(self, event_ids: Sequence[int]) -> dict[int, InForce]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(InForce))
            await cursor.execute(SQL["list_stocks"], {"event_ids": list(event_ids)})
            return {stock.event_id: stock for stock in await cursor.fetchall()}

    async def _audit(self) -> int:
        """Audits all events that changed; gives the number of those that count wrongly."""
        after, wrong = 0, 0
        while audits := await self._audit_chunk(after):
            for audit in audits:
                if not audit.agrees:
                    wrong += 1
                    await self._freeze(audit.event_id, "COUNTERS")
            after = audits[-1].event_id
        return wrong

    async def _audit_chunk(self, after: int) -> list[Audit]:
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = '{AUDIT_SECONDS}s'")
            cursor = connection.cursor(row_factory=class_row(Audit))
            await cursor.execute(SQL["audit"], {"after": after, "limit": AUDITS_AT_ONCE})
            audits = await cursor.fetchall()
            sound = [audit for audit in audits if audit.agrees]
            values = {
                "event_ids": [audit.event_id for audit in sound],
                "revs": [audit.rev for audit in sound],
            }
            await connection.execute(SQL["note_audits"], values)
            return audits

    async def _freeze(self, event_id: int, why: str, state: EventState | None = None) -> None:
        """Stops the sale of an event: of one that differs while `state` is the last of it."""
        newly = await self._inventory.freeze(
            event_id, why, epoch=state.epoch if state else None, rev=state.rev if state else None
        )
        log.error("event drifts", event_id=event_id, differs_from=why, newly_frozen=newly)
