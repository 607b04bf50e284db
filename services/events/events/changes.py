"""Changing and deleting events, in step with bookings.

What only adds is committed here and told afterwards. What takes something away is written down as
an intent first; bookings decides it under the event's lock; then it is committed here, or its
revision is burned. Whoever finds an intent left over by a crash may finish it: bookings gives the
same verdict again, and only the first to take the intent writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import psycopg
import structlog
from psycopg.rows import class_row

from services.events import metrics
from services.events.access import Viewer
from services.events.errors import ChangePending, EventNotFound, VersionMismatch
from services.events.events import revisions, rules
from services.events.events.answers import (
    AnswerT,
    Deleted,
    Outcome,
    Pending,
    Replay,
    Shown,
    Uncounted,
    Written,
    answer,
)
from services.events.events.revisions import Event, Fields
from services.events.feed.bookings_client import Inventory, Verdict, shown
from services.events.idempotency import Idempotency, Key, Request
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.process.failpoints import failpoint
from services.kit.rpc.errors import OutcomeUnknown

SQL = queries.load(__file__)
INTENTS_AT_ONCE = 8

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Change:
    """What a client wants of an event: new fields, on condition of its `versions`, None for any."""

    event_id: int
    fields: Fields
    versions: frozenset[str] | None
    viewer: Viewer
    request: Request | None


@dataclass(frozen=True, slots=True)
class Intent:
    """A change that was written down, and the key of its request, if that had one."""

    changes: Fields
    caller: str | None
    operation: str | None
    request_id: str | None

    @property
    def key(self) -> Key | None:
        """The key that waits for an answer."""
        if self.caller is None or self.operation is None or self.request_id is None:
            return None
        return Key(self.caller, self.operation, self.request_id)


class Changes:
    """Changes events. Uses bookings for what it has to decide."""

    def __init__(self, pool: Pool, inventory: Inventory, idempotency: Idempotency) -> None:
        self._pool = pool
        self._inventory = inventory
        self._idempotency = idempotency

    async def update(self, change: Change) -> Shown | Replay:
        """Changes the fields of an event, and answers once that is decided for good.

        Raises ValidationFailed, EventNotFound, PermissionDenied, ChangePending, a Decided refusal,
        or OutcomeUnknown when bookings gave no verdict: the change is finished later then.
        """
        rules.check_fields(change.fields)
        return await self._make(change, Shown)

    async def delete(self, change: Change) -> Deleted | Replay:
        """Deletes an event for good, and its live bookings with it; raises what `update` does."""
        gone = replace(change, fields={"deleted_at": datetime.now(UTC)})
        return await self._make(gone, Deleted)

    async def finish_pending(self) -> bool:
        """Finishes some changes that were left over; tells whether to look again at once."""
        async with self._pool.connection() as connection:
            leased = await connection.execute(SQL["lease_intents"], {"limit": INTENTS_AT_ONCE})
            event_ids = [event_id for (event_id,) in await leased.fetchall()]
        if event_ids:
            failpoint("events.change.leased")
        for target in await self._targets(event_ids):
            try:
                await self._finish(target)
            except OutcomeUnknown:
                log.warning("change still pending", event_id=target.id, revision=target.revision)
        return False

    async def count_pending(self) -> bool:
        """Shows how many changes wait for bookings; there is no reason to come back at once."""
        async with self._pool.connection() as connection:
            [pending] = await (await connection.execute(SQL["count_intents"])).fetchone() or (0,)
        metrics.PENDING_INTENTS.set(pending)
        return False

    async def _make(self, change: Change, expected: type[AnswerT]) -> AnswerT | Replay:
        written = await self._begin(change)
        try:
            outcome = await self._complete(change, written)
        except psycopg.Error as error:
            # What was written stays, so this may not be told as "not done".
            raise OutcomeUnknown from error
        return answer(outcome, expected)

    async def _begin(self, change: Change) -> Written | Replay:
        """Commits a change that bookings need not agree to, or else the intent to make it."""
        work = partial(_weigh, change=change)
        async with self._pool.connection() as connection, connection.transaction():
            outcome = await self._idempotency.once(connection, change.request, work)
            failpoint("events.change.written")
        failpoint("events.change.committed")
        return outcome

    async def _complete(self, change: Change, written: Written | Replay) -> Outcome | Replay:
        """Does what comes after the commit, and returns what came of the change for good."""
        if isinstance(written, Pending):
            return await self._settle(change, written)
        if isinstance(written, Uncounted):
            counted = await self._count(written.shown)
            return await self._idempotency.finish(change.request, counted)
        return written

    async def _count(self, changed: Shown) -> Shown:
        """Tells bookings of the change, and counts the seats that are left since."""
        if not await self._inventory.push(changed.event):
            return changed
        failpoint("events.change.pushed")
        [counted] = await self._inventory.show([changed.event])
        failpoint("events.change.counted")
        return counted

    async def _settle(self, change: Change, pending: Pending) -> Outcome | Replay:
        """Finishes the event's open intent, and finds what came of the change."""
        for target in await self._targets([change.event_id]):
            outcome = await self._finish(target)
            if outcome is not None and target.revision == pending.revision:
                return outcome
        return await self._idempotency.replay(change.request)

    async def _finish(self, target: Event) -> Outcome | None:
        """Has bookings decide, and writes what it said; None when somebody else wrote it first."""
        verdict = await self._inventory.apply(target)
        failpoint("events.change.decided")
        [counted] = await self._inventory.show([target])
        async with self._pool.connection() as connection, connection.transaction():
            intent = await _take(connection, target)
            if intent is None:
                return None
            failpoint("events.change.taken")
            outcome = await _conclude(connection, counted, intent, verdict)
            if intent.key:
                await self._idempotency.settle(connection, intent.key, outcome)
            failpoint("events.change.concluded")
        failpoint("events.change.finished")
        return outcome

    async def _targets(self, event_ids: Sequence[int]) -> Sequence[Event]:
        """Shows what the events with open intents are to become."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Event))
            await cursor.execute(SQL["get_targets"], {"event_ids": list(event_ids)})
            return await cursor.fetchall()


async def _weigh(connection: Connection, *, change: Change) -> Pending | Uncounted:
    """Locks the event, and makes the change, or writes the intent down."""
    event = await _lock(connection, change)
    changes = rules.changes_of(event, change.fields)
    if not changes:
        return Uncounted(shown(event, None))
    revision = event.revision + 1
    if rules.needs_verdict(event, changes):
        await _intend(connection, event.id, revision, changes, change.request)
        return Pending(revision)
    return Uncounted(shown(await revisions.change(connection, event.id, revision, changes), None))


async def _lock(connection: Connection, change: Change) -> Event:
    """Keeps others from the event until the transaction ends, if the change may be made at all."""
    event_id = {"event_id": change.event_id}
    cursor = connection.cursor(row_factory=class_row(Event))
    event = await (await cursor.execute(SQL["lock_event"], event_id)).fetchone()
    if event is None:
        raise EventNotFound
    change.viewer.expect_to_change(event)
    if await (await connection.execute(SQL["get_intent"], event_id)).fetchone():
        raise ChangePending
    if change.versions is not None and str(event.revision) not in change.versions:
        raise VersionMismatch(version=event.revision)
    return event


async def _intend(
    connection: Connection, event_id: int, revision: int, changes: Fields, request: Request | None
) -> None:
    values = {
        "event_id": event_id,
        "revision": revision,
        "changes": revisions.as_json(changes),
        "caller": request and request.caller,
        "operation": request and request.operation,
        "request_id": request and request.request_id,
    }
    await connection.execute(SQL["create_intent"], values)


async def _take(connection: Connection, target: Event) -> Intent | None:
    cursor = connection.cursor(row_factory=class_row(Intent))
    values = {"event_id": target.id, "revision": target.revision}
    return await (await cursor.execute(SQL["take_intent"], values)).fetchone()


async def _conclude(
    connection: Connection, target: Shown, intent: Intent, verdict: Verdict
) -> Outcome:
    """Writes the revision that bookings decided on: the change, or nothing but its number."""
    event_id, revision = target.event.id, target.event.revision
    if verdict.refusal:
        await revisions.burn(connection, event_id, revision)
        return verdict.refusal
    event = await revisions.change(connection, event_id, revision, intent.changes)
    if event.deleted_at is not None:
        return Deleted(event.id, verdict.cancelled_bookings)
    return Shown(event, target.available_seats)
