"""Looks for drift: events that differ from the catalogue, or whose counters are wrong.

A missing state is applied. An event that drifts is logged, counted and frozen: it sells nothing
until an operator has looked at it. Nothing is corrected here.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from psycopg.rows import class_row

from services.bookings import metrics
from services.bookings.catalogue.following import STATES_PAGE_SIZE, Feed, Follower
from services.bookings.inventory import EventState, Inventory
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal

SQL = queries.load(__file__)
AUDIT_CHUNK = 200
# Counting an event with millions of bookings takes long, and no request waits for it.
AUDIT_SECONDS = 60

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state of an event in the inventory."""

    event_id: int
    epoch: str
    catalogue_rev: int
    capacity: int
    status: str
    deleted: bool
    plan_id: int | None

    def lacks(self, state: EventState) -> bool:
        """Returns whether the state is newer than the stored one."""
        return state.epoch == self.epoch and state.rev > self.catalogue_rev

    def differs(self, state: EventState) -> bool:
        """Returns whether the catalogue has other content for the same revision."""
        if (state.epoch, state.rev) != (self.epoch, self.catalogue_rev):
            return False
        if not state.closes and state.plan_id != self.plan_id:
            return True
        stored = self.capacity, self.status, self.deleted
        return (state.capacity, state.status, state.deleted) != stored


@dataclass(frozen=True, slots=True)
class Audit:
    """Whether an event's counters, bookings and ledger agree at a revision."""

    event_id: int
    rev: int
    agrees: bool


class Reconciler:
    """Compares the inventory with the catalogue, and counters with bookings and ledger."""

    def __init__(self, pool: Pool, inventory: Inventory, follower: Follower, feed: Feed) -> None:
        self._pool = pool
        self._inventory = inventory
        self._follower = follower
        self._feed = feed

    async def reconcile(self) -> bool:
        """Makes one full pass; returns False, as the next pass is not due yet."""
        started = time.monotonic()
        try:
            metrics.DRIFT.labels("catalogue").set(await self._compare())
        except Refusal as refusal:
            log.warning("catalogue cannot be compared", reason=refusal.reason)
        metrics.DRIFT.labels("counters").set(await self._audit())
        metrics.RECONCILED_SECONDS.set(time.monotonic() - started)
        return False

    async def _compare(self) -> int:
        """Compares all events with the catalogue; returns how many differ."""
        followed = (await self._follower.position()).epoch
        after, differing = 0, 0
        while True:
            listing = await self._feed.list_states(after, STATES_PAGE_SIZE)
            if listing.position.epoch == followed:
                differing += await self._compare_page(listing.states)
            if len(listing.states) < STATES_PAGE_SIZE:
                return differing
            after = listing.states[-1].event_id

    async def _compare_page(self, states: Sequence[EventState]) -> int:
        stored = await self._stored([state.event_id for state in states])
        differing = 0
        for state in states:
            known = stored.get(state.event_id)
            if known is None or known.lacks(state):
                await self._inventory.apply(state)
            elif known.differs(state):
                differing += 1
                await self._freeze(state.event_id, "CATALOGUE", state)
        return differing

    async def _stored(self, event_ids: Sequence[int]) -> dict[int, StoredState]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(StoredState))
            await cursor.execute(SQL["list_states"], {"event_ids": list(event_ids)})
            return {state.event_id: state for state in await cursor.fetchall()}

    async def _audit(self) -> int:
        """Audits all changed events; returns how many have wrong counters."""
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
            values = {"after": after, "limit": AUDIT_CHUNK}
            due = await connection.execute(SQL["due_audits"], values)
            asked = {"event_ids": [event_id for (event_id,) in await due.fetchall()]}
            audits = await (await cursor.execute(SQL["audit"], asked)).fetchall()
            found = await connection.execute(SQL["disagreeing"], asked)
            wrong = {event_id for (event_id,) in await found.fetchall()}
            audits = [
                replace(each, agrees=False) if each.event_id in wrong else each for each in audits
            ]
            sound = {each.event_id: each.rev for each in audits if each.agrees}
            noted = {"event_ids": list(sound), "revs": list(sound.values())}
            await connection.execute(SQL["note_audits"], noted)
            return audits

    async def _freeze(self, event_id: int, why: str, state: EventState | None = None) -> None:
        """Stops the sale of an event; with `state`, only while that is the latest state."""
        newly = await self._inventory.freeze(
            event_id, why, epoch=state.epoch if state else None, rev=state.rev if state else None
        )
        log.error("event drifts", event_id=event_id, differs_from=why, newly_frozen=newly)
