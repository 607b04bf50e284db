"""One transaction: claim the keys, lock and load, decide, save and commit."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from google.protobuf.message import Message

from services.bookings import metrics
from services.bookings.errors import (
    Contradiction,
    EventNotFound,
    PaymentUnderWay,
    QueueRequired,
    ScreeningNotFound,
    TicketNotFound,
    TooManyHolds,
)
from services.bookings.inventory import old_results, saving, store
from services.bookings.inventory.commands import (
    DEFERRED,
    Apply,
    Command,
    Deferred,
    Outcome,
    PositionMoved,
    Replayed,
    UnknownEvent,
)
from services.bookings.inventory.decide import decide
from services.bookings.inventory.limits import HoldLimits
from services.bookings.inventory.old_results import OldResult
from services.bookings.inventory.plans import NoPlans, Plans
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.routing import RoutedTrip
from services.bookings.inventory.seat_commands import PlanNeeded
from services.bookings.inventory.store import Loaded
from services.kit.database import idempotency
from services.kit.database.idempotency import Claims, Key, Result, StoredResult
from services.kit.database.postgres import Connection, Pool
from services.kit.database.round_trip import RoundTrip, Statement
from services.kit.process.failpoints import failpoint
from services.kit.rpc.errors import (
    Busy,
    Internal,
    Refusal,
    RequestInProgress,
    Unavailable,
)

Answer = Callable[[Outcome], Message]


@dataclass(frozen=True, slots=True)
class Ask:
    """A command, its idempotency key if it has one, and how to write its response.

    `answer` makes the response to a success. `explain` adds the details to a refusal, which are
    stored with it.
    """

    command: Command
    key: Key | None = None
    answer: Answer | None = None
    explain: Callable[[Refusal], Refusal] | None = None

    def explained(self, outcome: Outcome | Deferred) -> Outcome | Deferred:
        """Returns the outcome; a refusal gets its details."""
        if self.explain is None or not isinstance(outcome, Refusal):
            return outcome
        return self.explain(outcome)


class Transactions:
    """Decides batches of asks, each in one transaction.

    In a `distributed` database all asks of a batch are for one event.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        offer_seconds: int,
        plans: Plans | None = None,
        limits: HoldLimits | None = None,
        distributed: bool = False,
    ) -> None:
        self._pool = pool
        self._distributed = distributed
        self._offer_seconds = offer_seconds
        self._plans = plans or NoPlans()
        self._limits = limits or HoldLimits()

    async def run(self, asks: Sequence[Ask], *, lock: Statement) -> list[Outcome | Deferred]:
        """Decides asks in their order, commits, and returns their outcomes.

        Raises psycopg.Error. If the connection is lost during the COMMIT, it is unknown whether the
        transaction committed, so it is not retried here. Raises Contradiction or CheckViolation if
        the stored rows of an event contradict each other; a batch of one also marks its event for
        an audit.
        """
        try:
            # Leaving by an exception rolls back.
            async with self._pool.connection() as connection:
                return await self._run(connection, asks, lock)
        except (Contradiction, psycopg.errors.CheckViolation):
            if len(asks) == 1:
                await self._request_audit(asks[0].command.event_id)
            raise

    async def _request_audit(self, event_id: int) -> None:
        """Marks an event for an audit although its revision has not changed."""
        async with self._pool.connection() as connection:
            await connection.execute(store.SQL["request_audit"], {"event_id": event_id})

    async def run_unlocked(self, asks: Sequence[Ask]) -> list[Outcome] | None:
        """Decides asks on one snapshot without locks; returns None if it would change anything."""
        commands = [ask.command for ask in asks]
        async with self._pool.connection() as connection:
            trip = self._trip(connection, asks)
            trip.begin(b" ISOLATION LEVEL REPEATABLE READ READ ONLY")
            loaded = await store.load(trip, commands, lock=store.NO_LOCK)
        return self._decide_unlocked(loaded, asks)

    def _decide_unlocked(self, loaded: Loaded, asks: Sequence[Ask]) -> list[Outcome] | None:
        if any(stock.queue_since for stock in loaded.stocks.values()):
            # Whom the queue has admitted was not read.
            return None
        try:
            decided = decide(loaded.stocks, [ask.command for ask in asks], self._context(loaded))
        except (IndexError, Contradiction):
            # A decision would make a booking, for which no id was drawn, or one event's rows are
            # wrong: under the lock, that is found out for each ask alone.
            return None
        if any(stock.is_changed for stock in loaded.stocks.values()):
            return None
        explained = (ask.explained(outcome) for ask, outcome in zip(asks, decided, strict=True))
        outcomes = [outcome for outcome in explained if not isinstance(outcome, Deferred)]
        return outcomes if len(outcomes) == len(asks) else None

    async def _run(
        self, connection: Connection, asks: Sequence[Ask], lock: Statement
    ) -> list[Outcome | Deferred]:
        try:
            decided = await self._load_and_decide(connection, asks, lock)
        except psycopg.OperationalError as error:
            if connection.closed:
                # Nothing was written yet, so callers can retry safely.
                raise Unavailable from error
            raise
        failpoint("bookings.batch.decided")
        trip = self._trip(connection, asks)
        saving.save(trip, decided.loaded.stocks.values(), decided.loaded.now)
        if decided.results:
            idempotency.add_results(trip, decided.results)
        trip.command(b"COMMIT")
        await trip.send()
        metrics.LOCKED_SECONDS.observe(time.perf_counter() - decided.locked_at)
        failpoint("bookings.batch.committed")
        return decided.outcomes

    async def _load_and_decide(
        self, connection: Connection, asks: Sequence[Ask], lock: Statement
    ) -> "_Decided":
        keys = [ask.key for ask in asks if ask.key]
        claims: Claims | None = None
        trip = self._trip(connection, asks)
        trip.begin()
        if keys:
            claims = idempotency.add_claims(trip, keys)
        loaded = await store.load(trip, [ask.command for ask in asks], lock=lock)
        locked_at = time.perf_counter()
        failpoint("bookings.batch.locked")
        found = await _stored_outcomes(connection, asks, claims)
        fresh = [index for index, outcome in enumerate(found) if outcome is None]
        await self._decide(connection, loaded, asks, fresh, found)
        outcomes = [outcome for outcome in found if outcome is not None]
        results = (_result(asks[index], outcomes[index]) for index in fresh)
        return _Decided(loaded, outcomes, [result for result in results if result], locked_at)

    async def _decide(
        self,
        connection: Connection,
        loaded: Loaded,
        asks: Sequence[Ask],
        fresh: Sequence[int],
        outcomes: list[Outcome | Deferred | None],
    ) -> None:
        """Fills in the outcomes of the asks without a stored result."""
        decided: list[int] = []
        for index in fresh:
            outcomes[index] = _precondition_error(asks[index].command, loaded)
            if outcomes[index] is None:
                decided.append(index)
        commands = [asks[index].command for index in decided]
        await store.load_rest(self._trip(connection, asks), loaded, commands)
        found = decide(loaded.stocks, commands, self._context(loaded))
        for index, outcome in zip(decided, found, strict=True):
            outcomes[index] = asks[index].explained(outcome)

    def _trip(self, connection: Connection, asks: Sequence[Ask]) -> RoundTrip:
        if not self._distributed:
            return RoundTrip(connection)
        [event_id] = {ask.command.event_id for ask in asks}
        return RoutedTrip(connection, event_id)

    def _context(self, loaded: Loaded) -> Context:
        return Context(
            loaded.now, loaded.identities, self._offer_seconds, self._plans, self._limits
        )


@dataclass(frozen=True, slots=True)
class _Decided:
    """A decided batch that is not saved yet."""

    loaded: Loaded
    outcomes: list[Outcome | Deferred]
    results: Sequence[Result]
    locked_at: float


async def _stored_outcomes(
    connection: Connection, asks: Sequence[Ask], claims: Claims | None
) -> list[Outcome | Deferred | None]:
    """Finds the outcomes of asks whose keys were used before, or are in use."""
    outcomes: list[Outcome | Deferred | None] = [None] * len(asks)
    if claims is None:
        return outcomes
    claimed, stored = claims.read()
    old = await old_results.read(connection, claims.keys, stored)
    keyed = [index for index, ask in enumerate(asks) if ask.key]
    seen: set[tuple[str, str, str]] = set()
    for number, index in enumerate(keyed):
        ask = asks[index]
        key = claims.keys[number]
        name = key.caller, key.operation, key.key
        if not claimed[number]:
            outcomes[index] = RequestInProgress()
        elif number in stored:
            outcomes[index] = _replay(ask, key, stored[number], old.get(number))
        elif name in seen:
            outcomes[index] = DEFERRED
        seen.add(name)
    return outcomes


def _replay(ask: Ask, key: Key, stored: StoredResult, old: OldResult | None) -> Outcome:
    """Returns the stored outcome of an ask's key."""
    replayed = idempotency.replay(key, stored)
    if replayed is None:
        outcome = old_results.revive(old, ask.command) if old else Internal()
        if isinstance(outcome, Refusal) or ask.answer is None:
            return outcome
        replayed = ask.answer(outcome).SerializeToString()
    return replayed if isinstance(replayed, Refusal) else Replayed(replayed)


def _precondition_error(command: Command, loaded: Loaded) -> Outcome | None:
    """Returns why a command cannot be decided in this transaction; None if it can."""
    if command.event_id in loaded.busy:
        return Busy()
    if isinstance(command, Apply) and command.position and command.position != loaded.position:
        return PositionMoved()
    return None


def _result(ask: Ask, outcome: Outcome | Deferred | None) -> Result | None:
    """Returns the result to store for an ask's key.

    Refusals that hide an event are not stored: nothing is stored for a missing event either, and
    the two must look the same.
    """
    if ask.key is None or ask.answer is None or isinstance(outcome, Deferred) or outcome is None:
        return None
    if isinstance(outcome, _NOT_STORED):
        return None
    if isinstance(outcome, Refusal):
        return Result(ask.key, is_refusal=True, response=idempotency.refusal_bytes(outcome))
    return Result(ask.key, is_refusal=False, response=ask.answer(outcome).SerializeToString())


_NOT_STORED = (
    RequestInProgress,
    TicketNotFound,
    Busy,
    UnknownEvent,
    EventNotFound,
    PaymentUnderWay,
    PositionMoved,
    PlanNeeded,
    QueueRequired,
    ScreeningNotFound,
    TooManyHolds,
)
