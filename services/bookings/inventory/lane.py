"""The lane: commands that arrive during a transaction are decided together in the next one.

All writes go through it: unary calls, batches, workers and states of the catalogue. A command never
waits for a timer. Transactions of the shared lane skip events that another transaction has locked.
Commands that can wait for such an event are queued in a lane of that event, and delay no other
event.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

import psycopg
import structlog

from services.bookings.errors import Contradiction
from services.bookings.inventory import store
from services.bookings.inventory.commands import DEFERRED, Deferred, Outcome
from services.bookings.inventory.hints import Hints
from services.bookings.inventory.transaction import Ask
from services.kit.database.postgres import refusal_from_database
from services.kit.database.round_trip import Statement
from services.kit.rpc.errors import Busy, Internal, Refusal, Unavailable

BATCH_SIZE = 256
QUEUE_SIZE = 4_096
# Errors that the data of a batch causes, so another try of the whole batch would fail, too.
_DATA_ERRORS = (
    Contradiction,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)
# Another replica stored the same event, or a result of the same key, in the meantime.
_LATE = (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation)

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
        self, transactions: Runner, *, batch_size: int = BATCH_SIZE, queue_size: int = QUEUE_SIZE
    ) -> None:
        self._transactions = transactions
        self._batch_size = batch_size
        self._queue_size = queue_size
        self._shared = self._queue(store.SKIP_LOCKED)
        self._refusing = _Queue(self._refuse, batch_size, queue_size)
        self._event_queues: dict[int, _Queue] = {}
        self._hints = Hints()

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

    def _queue(self, lock: Statement) -> "_Queue":
        return _Queue(partial(self._run, lock=lock), self._batch_size, self._queue_size)

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


def failed_outcomes(error: Exception, count: int) -> list[Outcome]:
    """Returns the outcomes of asks that failed with an error while others are committed."""
    if isinstance(error, Refusal):
        return [error] * count
    return [refusal_from_database(error, is_read=False) or Internal()] * count


class _Waiter:
    """Asks of one call, at most a batch, and the future of their outcomes."""

    def __init__(self, asks: Sequence[Ask], outcomes: "asyncio.Future[list[Outcome]]") -> None:
        self.asks = asks
        """Those that are not decided yet."""
        self.outcomes = outcomes
        self._found: list[Outcome | Deferred] = [DEFERRED] * len(asks)

    def set_outcomes(self, found: Sequence[Outcome | Deferred]) -> None:
        """Takes an outcome for each of the asks; deferred ones remain to be decided."""
        left = iter(found)
        self._found = [next(left) if isinstance(one, Deferred) else one for one in self._found]
        pairs = zip(self.asks, found, strict=True)
        self.asks = [ask for ask, outcome in pairs if isinstance(outcome, Deferred)]
        if not self.asks and not self.outcomes.done():
            self.outcomes.set_result([one for one in self._found if not isinstance(one, Deferred)])

    def set_error(self, error: Exception) -> None:
        """Ends the asks with an error; those that are committed keep their outcomes."""
        if len(self.asks) < len(self._found):
            self.set_outcomes(failed_outcomes(error, len(self.asks)))
        elif not self.outcomes.done():
            self.outcomes.set_exception(error)


class _Queue:
    """The queue of one lane, and the task that runs its transactions."""

    def __init__(
        self,
        run: Callable[[Sequence[Ask]], Coroutine[Any, Any, Sequence[Outcome | Deferred]]],
        batch_size: int,
        max_size: int,
    ) -> None:
        self._run = run
        self._batch_size = batch_size
        self._max_size = max_size
        self._waiters: deque[_Waiter] = deque()
        self._count = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the queue is empty and no transaction runs."""
        return self._task is None

    async def submit(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Queues asks and waits for their outcomes; few enough asks share one transaction."""
        if not asks:
            return []
        if self._count + len(asks) > self._max_size:
            raise Unavailable
        loop = asyncio.get_running_loop()
        waiters = [
            _Waiter(asks[first : first + self._batch_size], loop.create_future())
            for first in range(0, len(asks), self._batch_size)
        ]
        self._waiters.extend(waiters)
        self._count += len(asks)
        if self._task is None:
            self._task = loop.create_task(self._run_batches())
        if len(waiters) == 1:
            return await waiters[0].outcomes
        parts = await asyncio.gather(*(waiter.outcomes for waiter in waiters))
        return [outcome for part in parts for outcome in part]

    async def _run_batches(self) -> None:
        """Runs transactions until the queue is empty."""
        try:
            while waiters := self._next_batch():
                asks = [ask for waiter in waiters for ask in waiter.asks]
                try:
                    outcomes = await self._run(asks)
                except Exception as error:  # noqa: BLE001 - passed on to all waiters
                    for waiter in waiters:
                        waiter.set_error(error)
                else:
                    self._set_outcomes(waiters, outcomes)
        finally:
            self._task = None
            for waiter in self._waiters:
                waiter.outcomes.cancel()

    def _next_batch(self) -> list[_Waiter]:
        """Takes the waiters that fit into one transaction, and drops cancelled ones."""
        taken: list[_Waiter] = []
        count = 0
        while self._waiters and count + len(self._waiters[0].asks) <= self._batch_size:
            waiter = self._waiters.popleft()
            self._count -= len(waiter.asks)
            if not waiter.outcomes.done():
                taken.append(waiter)
                count += len(waiter.asks)
        return taken

    def _set_outcomes(
        self, waiters: Sequence[_Waiter], outcomes: Sequence[Outcome | Deferred]
    ) -> None:
        """Distributes outcomes; deferred asks are the first of the next transaction."""
        first = 0
        for waiter in waiters:
            last = first + len(waiter.asks)
            waiter.set_outcomes(outcomes[first:last])
            first = last
        deferred = [waiter for waiter in waiters if waiter.asks]
        self._waiters.extendleft(reversed(deferred))
        self._count += sum(len(waiter.asks) for waiter in deferred)
