"""The lane: commands that arrive during a transaction are decided together in the next one.

All writes go through it: unary calls, batches, workers and states of the catalogue. A command never
waits for a timer. Transactions of the shared lane skip events that another transaction has locked.
Commands that can wait for such an event are queued in a lane of that event, and delay no other
event.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import psycopg
import structlog

from services.bookings.errors import Contradiction
from services.bookings.inventory import store
from services.bookings.inventory.batches import Queue, failed_outcomes
from services.bookings.inventory.commands import Deferred, Outcome
from services.bookings.inventory.hints import Hints
from services.bookings.inventory.transaction import Ask
from services.kit.database.round_trip import Statement
from services.kit.rpc.errors import Busy, Internal

BATCH_SIZE = 256
QUEUE_SIZE = 4_096
# Errors that the data of a batch causes, so another try of the whole batch would fail, too.
_DATA_ERRORS = (
    Contradiction,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    # What Citus makes of a violated constraint on another node.
    psycopg.errors.InternalError_,
)
# Another replica stored the same event, or a result of the same key, in the meantime.
_LATE = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.NotNullViolation,
    psycopg.errors.InternalError_,
)

log = structlog.get_logger()


class Runner(Protocol):
    """Runs a batch of asks in a transaction; see Transactions."""

    async def run(self, asks: Sequence[Ask], *, lock: Statement) -> list[Outcome | Deferred]:
        """Decides and commits the asks."""

    async def run_unlocked(self, asks: Sequence[Ask]) -> list[Outcome] | None:
        """Decides without locks; returns None if a decision would change anything."""


class Lane:
    """Decides asks in batches, with at most `batch_size` asks in a transaction."""

    def __init__(
        self,
        transactions: Runner,
        *,
        batch_size: int = BATCH_SIZE,
        queue_size: int = QUEUE_SIZE,
        hints: Hints | None = None,
    ) -> None:
        self._transactions = transactions
        self._batch_size = batch_size
        self._queue_size = queue_size
        self._shared = self._queue(store.SKIP_LOCKED)
        self._refusing = Queue(self._refuse, batch_size, queue_size)
        self._event_queues: dict[int, Queue] = {}
        self._hints = hints or Hints()

    async def decide(self, asks: Sequence[Ask], *, skip_busy: bool = False) -> list[Outcome]:
        """Decides asks in their order and returns their outcomes after the COMMIT.

        With `skip_busy` asks for events that another transaction has locked are Busy; otherwise
        they wait for the lock. Cancelling the caller does not stop asks whose transaction has
        begun. Raises Unavailable if the queue is full, and psycopg.Error if the database fails.
        """
        outcomes = await self._decide_shared(asks)
        if skip_busy:
            return outcomes
        busy: dict[int, list[int]] = {}
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, Busy):
                busy.setdefault(asks[index].command.event_id, []).append(index)
        if busy:
            await self._decide_locked(asks, busy, outcomes)
        return outcomes

    async def _decide_shared(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Decides in the shared lane; what was refused a moment ago, first without a lock."""
        refusable = [index for index, ask in enumerate(asks) if self._expects_refusal(ask)]
        if not refusable:
            return await self._shared.submit(asks)
        outcomes: list[Outcome | None] = [None] * len(asks)
        refused = await self._refusing.submit([asks[index] for index in refusable])
        for index, outcome in zip(refusable, refused, strict=True):
            outcomes[index] = None if isinstance(outcome, Busy) else outcome
        rest = [index for index, outcome in enumerate(outcomes) if outcome is None]
        if rest:
            decided = await self._shared.submit([asks[index] for index in rest])
            for index, outcome in zip(rest, decided, strict=True):
                outcomes[index] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def _expects_refusal(self, ask: Ask) -> bool:
        """Returns whether an ask like this one was refused a moment ago.

        Asks with a key are never refused early, because a transaction must store their response.
        """
        return ask.key is None and self._hints.expect_refusal(ask.command)

    async def _decide_locked(
        self, asks: Sequence[Ask], busy: dict[int, list[int]], outcomes: list[Outcome]
    ) -> None:
        """Decides asks of locked events, each event in a lane of its own."""

        async def wait(event_id: int, indices: Sequence[int]) -> None:
            queue = self._event_queues.get(event_id)
            if queue is None:
                queue = self._event_queues[event_id] = self._queue(store.WAIT)
            decided: Sequence[Outcome]
            try:
                decided = await queue.submit([asks[index] for index in indices])
            except Exception as error:
                # The asks for other events need their outcomes all the same.
                log.exception("asks of a locked event failed", event_id=event_id)
                decided = failed_outcomes(error, len(indices))
            finally:
                if queue.is_idle and self._event_queues.get(event_id) is queue:
                    del self._event_queues[event_id]
            for index, outcome in zip(indices, decided, strict=True):
                outcomes[index] = outcome

        await asyncio.gather(*(wait(event_id, indices) for event_id, indices in busy.items()))

    def _queue(self, lock: Statement) -> Queue:
        return Queue(partial(self._run, lock=lock), self._batch_size, self._queue_size)

    async def _refuse(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Refuses asks without a lock; returns Busy for all if any of them needs one."""
        outcomes = await self._transactions.run_unlocked(asks)
        if outcomes is None:
            self._hints.forget(ask.command for ask in asks)
            return [Busy()] * len(asks)
        self._hints.note((ask.command for ask in asks), outcomes)
        return outcomes

    async def _run(self, asks: Sequence[Ask], *, lock: Statement) -> list[Outcome | Deferred]:
        """Decides in one transaction; on an error of the data, halves the batch to find its cause.

        The failed transaction has changed nothing, so each half is run again.
        """
        try:
            outcomes = await self._transactions.run(asks, lock=lock)
        except _DATA_ERRORS as error:
            if len(asks) == 1:
                return [await self._retry_one(asks[0], lock, error)]
            middle = len(asks) // 2
            former = await self._run(asks[:middle], lock=lock)
            return former + await self._run_rest(asks[middle:], lock)
        self._hints.note((ask.command for ask in asks), outcomes)
        return outcomes

    async def _retry_one(self, ask: Ask, lock: Statement, error: Exception) -> Outcome | Deferred:
        """Retries one ask if another replica has just opened its event, or used its key.

        Fails it otherwise.
        """
        if isinstance(error, _LATE):
            try:
                [outcome] = await self._transactions.run([ask], lock=lock)
            except _DATA_ERRORS as again:
                error = again
            else:
                return outcome
        event_id = ask.command.event_id
        log.error("command cannot be decided", event_id=event_id, exc_info=error)
        return Internal()

    async def _run_rest(self, asks: Sequence[Ask], lock: Statement) -> list[Outcome | Deferred]:
        """Decides the rest of a batch of which a part is committed.

        A failure is the outcome of these asks only: the committed part keeps its outcomes.
        """
        try:
            return await self._run(asks, lock=lock)
        except Exception as error:
            log.exception("rest of a batch failed", commands=len(asks))
            return [*failed_outcomes(error, len(asks))]
