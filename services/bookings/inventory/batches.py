"""The queue of a lane: collects asks into batches, and runs one batch after another."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from services.bookings.inventory.commands import DEFERRED, Deferred, Outcome
from services.bookings.inventory.transaction import Ask
from services.kit.database.postgres import refusal_from_database
from services.kit.rpc.errors import Internal, Refusal, Unavailable


def failed_outcomes(error: Exception, count: int) -> list[Outcome]:
    """Returns the outcomes of asks that failed with an error while others are committed."""
    if isinstance(error, Refusal):
        return [error] * count
    return [refusal_from_database(error, is_read=False) or Internal()] * count


class Waiter:
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


class Queue:
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
        self._waiters: deque[Waiter] = deque()
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
            Waiter(asks[first : first + self._batch_size], loop.create_future())
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

    def _next_batch(self) -> list[Waiter]:
        """Takes the waiters that fit into one transaction, and drops cancelled ones."""
        taken: list[Waiter] = []
        count = 0
        while self._waiters and count + len(self._waiters[0].asks) <= self._batch_size:
            waiter = self._waiters.popleft()
            self._count -= len(waiter.asks)
            if not waiter.outcomes.done():
                taken.append(waiter)
                count += len(waiter.asks)
        return taken

    def _set_outcomes(
        self, waiters: Sequence[Waiter], outcomes: Sequence[Outcome | Deferred]
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
