"""Changing and deleting events, in step with bookings.

A change that only adds is committed here and pushed to bookings afterwards. A change that takes
something away is written down as an intent first; bookings decides it under the event's lock; then
it is committed here, or its revision is burned. Any process may finish an intent that a crash left
over: bookings decides the same again, and only the first to take the intent writes.
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
from services.events.events import placing, revisions, room_slots, rules
from services.events.events.bookings_client import BookingsClient, Decision, details
from services.events.events.results import (
    DeletedEvent,
    EventDetails,
    Outcome,
    PendingChange,
    Result,
    ResultT,
    expect,
)
from services.events.events.revisions import Event, Fields
from services.events.idempotency import Idempotency, IncompleteResult, Replayed
from services.kit.database import queries
from services.kit.database.idempotency import Key
from services.kit.database.postgres import Connection, Pool
from services.kit.process.failpoints import failpoint
from services.kit.rpc.errors import IdempotencyKeyReused, OutcomeUnknown

SQL = queries.load(__file__, columns=revisions.COLUMNS)
INTENTS_AT_ONCE = 8

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Change:
    """A change that a client asks for, if the event has one of `versions`; None is any.

    With `of_screening` there is no event but screenings.
    """

    event_id: int
    fields: Fields
    versions: frozenset[str] | None
    viewer: Viewer
    key: Key | None
    of_screening: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """A change that waits for bookings, and the idempotency key of its request, if it had one."""

    changes: Fields
    caller: str | None
    operation: str | None
    key: str | None
    fingerprint: bytes | None

    @property
    def request_key(self) -> Key | None:
        """The key that the result is stored for."""
        if (
            self.caller is None
            or self.operation is None
            or self.key is None
            or self.fingerprint is None
        ):
            return None
        return Key(self.caller, self.operation, self.key, self.fingerprint)


class Changes:
    """Changes events, and asks bookings where it has to decide."""

    def __init__(self, pool: Pool, bookings: BookingsClient, idempotency: Idempotency) -> None:
        self._pool = pool
        self._bookings = bookings
        self._idempotency = idempotency

    async def update(self, change: Change) -> EventDetails | Replayed:
        """Changes the fields of an event; returns once the change is decided.

        Raises ValidationFailed, EventNotFound, RoomNotFound, PermissionDenied, ChangePending, a
        Decided refusal, or OutcomeUnknown if bookings did not decide; a worker finishes the change
        later.
        """
        rules.check_fields(change.fields)
        return await self._make(change, EventDetails)

    async def delete(self, change: Change) -> DeletedEvent | Replayed:
        """Deletes an event for good, and its live bookings with it; raises what `update` does."""
        gone = replace(change, fields={"deleted_at": datetime.now(UTC)})
        return await self._make(gone, DeletedEvent)

    async def finish_pending(self) -> bool:
        """Finishes some changes that a crash left over; returns False (see repeat)."""
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
        """Counts the changes that wait for bookings; returns False (see repeat)."""
        async with self._pool.connection() as connection:
            [pending] = await (await connection.execute(SQL["count_intents"])).fetchone() or (0,)
        metrics.PENDING_INTENTS.set(pending)
        return False

    async def _make(self, change: Change, expected: type[ResultT]) -> ResultT | Replayed:
        outcome = await self._begin(change)
        try:
            outcome = await self._complete(change, outcome)
        except psycopg.Error as error:
            # The transaction of the change is committed, so the client may not hear "not done".
            raise OutcomeUnknown from error
        return expect(outcome, expected)

    async def _begin(self, change: Change) -> Outcome:
        """Commits a change that needs no decision of bookings, or else an intent."""
        work = partial(_change_or_intend, change=change)
        async with self._pool.connection() as connection, connection.transaction():
            outcome = await self._idempotency.once(connection, change.key, work)
            failpoint("events.change.written")
        failpoint("events.change.committed")
        return outcome

    async def _complete(self, change: Change, outcome: Outcome) -> Outcome:
        """Completes a change after its commit; returns the final result."""
        if isinstance(outcome, PendingChange):
            return await self._settle(change, outcome)
        if isinstance(outcome, IncompleteResult):
            counted = await self._count(outcome.result)
            return await self._idempotency.complete(change.key, counted)
        return outcome

    async def _count(self, changed: EventDetails) -> EventDetails:
        """Sends a committed change to bookings, and counts the seats left after it."""
        if not await self._bookings.push(changed.event):
            return changed
        failpoint("events.change.pushed")
        [counted] = await self._bookings.details([changed.event])
        failpoint("events.change.counted")
        return counted

    async def _settle(self, change: Change, pending: PendingChange) -> Result | Replayed:
        """Finishes the event's open intent, and returns the result of the change."""
        for target in await self._targets([change.event_id]):
            result = await self._finish(target)
            if result is not None and target.revision == pending.revision:
                return result
        return await self._idempotency.replay(change.key)

    async def _finish(self, target: Event) -> Result | None:
        """Asks bookings to decide an intent, and writes the result; None if another was first."""
        decision = await self._bookings.apply(target)
        failpoint("events.change.decided")
        [counted] = await self._bookings.details([target])
        async with self._pool.connection() as connection, connection.transaction():
            intent = await _take(connection, target)
            if intent is None:
                return None
            failpoint("events.change.taken")
            result = await _conclude(connection, counted, intent, decision)
            if intent.request_key:
                await self._idempotency.settle(connection, intent.request_key, result)
            failpoint("events.change.concluded")
        failpoint("events.change.finished")
        return result

    async def _targets(self, event_ids: Sequence[int]) -> Sequence[Event]:
        """Reads the events of open intents, as they will be after the change."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Event))
            await cursor.execute(SQL["get_targets"], {"event_ids": list(event_ids)})
            return await cursor.fetchall()


async def _change_or_intend(
    connection: Connection, *, change: Change
) -> PendingChange | IncompleteResult[EventDetails]:
    """Locks the event, and makes the change or stores the intent."""
    if change.key and await _is_pending(connection, change.key):
        return PendingChange()
    event = await _lock(connection, change)
    changes = await placing.placed(connection, event, rules.changes_of(event, change.fields))
    if not changes:
        return IncompleteResult(details(event, None))
    revision = event.revision + 1
    if rules.needs_decision(event, changes):
        await _hold_room(connection, event, changes)
        await _intend(connection, event.id, revision, changes, change.key)
        return PendingChange(revision)
    changed = await revisions.change(connection, event.id, revision, changes)
    return IncompleteResult(details(changed, None))


async def _is_pending(connection: Connection, key: Key) -> bool:
    """Returns whether the intent of an earlier request with the key is open."""
    values = {"caller": key.caller, "operation": key.operation, "key": key.key}
    row = await (await connection.execute(SQL["get_intent_of_key"], values)).fetchone()
    if row and row[0] != key.fingerprint:
        raise IdempotencyKeyReused
    return row is not None


async def _lock(connection: Connection, change: Change) -> Event:
    """Locks the event until the transaction ends, and checks that it may be changed."""
    event_id = {"event_id": change.event_id}
    cursor = connection.cursor(row_factory=class_row(Event))
    event = await (await cursor.execute(SQL["lock_event"], event_id)).fetchone()
    if event is None or (change.of_screening and event.movie_id is None):
        raise EventNotFound
    change.viewer.expect_to_change(event)
    if await (await connection.execute(SQL["get_intent"], event_id)).fetchone():
        raise ChangePending
    if change.versions is not None and str(event.revision) not in change.versions:
        raise VersionMismatch(version=event.revision)
    return event


async def _hold_room(connection: Connection, event: Event, changes: Fields) -> None:
    """Takes the room that the event would get; it keeps what it has until that is decided."""
    target = replace(event, **changes)
    if target.room_id is not None and not target.is_closed and placing.is_moved(changes):
        await room_slots.hold(connection, target)


async def _intend(
    connection: Connection, event_id: int, revision: int, changes: Fields, key: Key | None
) -> None:
    values = {
        "event_id": event_id,
        "revision": revision,
        "changes": revisions.as_json(changes),
        "caller": key and key.caller,
        "operation": key and key.operation,
        "key": key and key.key,
        "fingerprint": key and key.fingerprint,
    }
    await connection.execute(SQL["create_intent"], values)


async def _take(connection: Connection, target: Event) -> Intent | None:
    cursor = connection.cursor(row_factory=class_row(Intent))
    values = {"event_id": target.id, "revision": target.revision}
    return await (await cursor.execute(SQL["take_intent"], values)).fetchone()


async def _conclude(
    connection: Connection, target: EventDetails, intent: Intent, decision: Decision
) -> Result:
    """Writes the decided revision: the change, or after a refusal only its number."""
    event_id, revision = target.event.id, target.event.revision
    if decision.refusal:
        await revisions.burn(connection, event_id, revision, intent.changes)
        return decision.refusal
    event = await revisions.change(connection, event_id, revision, intent.changes)
    if event.deleted_at is not None:
        return DeletedEvent(event.id, decision.cancelled_bookings)
    return EventDetails(event, target.available_seats)
