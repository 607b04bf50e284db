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
from typing import Any, NamedTuple, Protocol

import psycopg
import structlog

from services.bookings.errors import Contradiction
from services.bookings.inventory import store
from services.bookings.inventory.commands import Later, Outcome
from services.bookings.inventory.hints import Hints
from services.bookings.inventory.transaction import Ask
from services.kit.database.postgres import refusal_from_database
from services.kit.database.round_trip import Statement
from services.kit.rpc.errors import Busy, Internal, Refusal, Unavailable

AT_ONCE = 256
WAITING = 4_096
# Errors that the data of a batch causes, so another try of the whole batch would fail, too.
_INDIGESTIBLE = (
    Contradiction,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)

log = structlog.get_logger()


class Deciding(Protocol):
    """Runs a batch of asks in a transaction; see Transactions."""

    async def run(self, asks: Sequence[Ask], *, lock: Statement) -> list[Outcome | Later]:
        """Decides and commits the asks."""

    async def peek(self, asks: Sequence[Ask]) -> list[Outcome] | None:
        """Decides without locks; returns None if a decision would change anything."""


class Lane:
    """Decides asks in batches, with at most `at_once` asks in a transaction."""

    def __init__(
        self, transactions: Deciding, *, at_once: int = AT_ONCE, waiting: int = WAITING
    ) -> None:
        self._transactions = transactions
        self._at_once = at_once
        self._waiting = waiting
        self._shared = self._queue(store.SKIP_LOCKED)
        self._refusing = _Queue(self._refuse, at_once, waiting)
        self._apart: dict[int, _Queue] = {}
        self._hints = Hints()

    async def decide(self, asks: Sequence[Ask], *, skip_busy: bool = False) -> list[Outcome]:
        """Decides asks in their order and returns their outcomes after the COMMIT.

        With `skip_busy` asks for events that another transaction has locked are Busy; otherwise
        they wait for the lock. Cancelling the caller does not stop asks whose transaction has
        begun. Raises Unavailable if the queue is full, and psycopg.Error if the database fails.
        """
        outcomes = await self._decide(asks)
        if skip_busy:
            return outcomes
        busy: dict[int, list[int]] = {}
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, Busy):
                busy.setdefault(asks[index].command.event_id, []).append(index)
        if busy:
            await self._wait_apart(asks, busy, outcomes)
        return outcomes

    async def _decide(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Decides in the shared lane; refuses asks for full events without a lock."""
        hopeless = [index for index, ask in enumerate(asks) if self._seems_hopeless(ask)]
        if not hopeless:
            return await self._shared.ask(asks)
        outcomes: list[Outcome | None] = [None] * len(asks)
        refused = await self._refusing.ask([asks[index] for index in hopeless])
        for index, outcome in zip(hopeless, refused, strict=True):
            outcomes[index] = None if isinstance(outcome, Busy) else outcome
        rest = [index for index, outcome in enumerate(outcomes) if outcome is None]
        if rest:
            decided = await self._shared.ask([asks[index] for index in rest])
            for index, outcome in zip(rest, decided, strict=True):
                outcomes[index] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def _seems_hopeless(self, ask: Ask) -> bool:
        """Returns whether the event of the ask was full when it was last decided on.

        Asks with a key are never refused early, because a transaction must store their response.
        """
        return ask.key is None and self._hints.expect_refusal(ask.command)

    async def _wait_apart(
        self, asks: Sequence[Ask], busy: dict[int, list[int]], outcomes: list[Outcome]
    ) -> None:
        """Decides asks of locked events, each event in a lane of its own."""

        async def wait(event_id: int, indices: Sequence[int]) -> None:
            queue = self._apart.get(event_id)
            if queue is None:
                queue = self._apart[event_id] = self._queue(store.WAIT)
            decided: Sequence[Outcome]
            try:
                decided = await queue.ask([asks[index] for index in indices])
            except Exception as error:
                # The asks for other events need their outcomes all the same.
                log.exception("asks of a locked event failed", event_id=event_id)
                decided = failures(error, len(indices))
            finally:
                if queue.is_idle and self._apart.get(event_id) is queue:
                    del self._apart[event_id]
            for index, outcome in zip(indices, decided, strict=True):
                outcomes[index] = outcome

        await asyncio.gather(*(wait(event_id, indices) for event_id, indices in busy.items()))

    def _queue(self, lock: Statement) -> "_Queue":
        return _Queue(partial(self._run, lock=lock), self._at_once, self._waiting)

    async def _refuse(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Refuses asks without a lock; returns Busy for all if any of them needs one."""
        outcomes = await self._transactions.peek(asks)
        if outcomes is None:
            self._hints.forget(ask.command for ask in asks)
            return [Busy()] * len(asks)
        self._hints.note((ask.command for ask in asks), outcomes)
        return outcomes

    async def _run(self, asks: Sequence[Ask], *, lock: Statement) -> list[Outcome]:
        """Decides in one transaction; on an error of the data, halves the batch to find its cause.

        The failed transaction has changed nothing, so each half is run again. An ask that repeats a
        key of this batch is run after the first one with that key.
        """
        outcomes: list[Outcome | Later]
        try:
            outcomes = await self._transactions.run(asks, lock=lock)
        except _INDIGESTIBLE as error:
            if len(asks) == 1:
                return [await self._alone(asks[0], lock, error)]
            middle = len(asks) // 2
            former = await self._run(asks[:middle], lock=lock)
            return former + await self._rest(asks[middle:], lock)
        later = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Later)]
        if later:
            decided = await self._rest([asks[index] for index in later], lock)
            for index, outcome in zip(later, decided, strict=True):
                outcomes[index] = outcome
        settled = [outcome for outcome in outcomes if not isinstance(outcome, Later)]
        self._hints.note((ask.command for ask in asks), settled)
        return settled

    async def _alone(self, ask: Ask, lock: Statement, error: Exception) -> Outcome:
        """Retries one ask if another replica has just opened its event; otherwise fails it."""
        if isinstance(error, psycopg.errors.UniqueViolation):
            try:
                [outcome] = await self._transactions.run([ask], lock=lock)
            except _INDIGESTIBLE as again:
                error = again
            else:
                return Internal() if isinstance(outcome, Later) else outcome
        event_id = ask.command.event_id
        log.error("command cannot be decided", event_id=event_id, exc_info=error)
        return Internal()

    async def _rest(self, asks: Sequence[Ask], lock: Statement) -> list[Outcome]:
        """Decides the rest of a batch of which a part is committed.

        A failure is the outcome of these asks only: the committed part keeps its outcomes.
        """
        try:
            return await self._run(asks, lock=lock)
        except Exception as error:
            log.exception("rest of a batch failed", commands=len(asks))
            return failures(error, len(asks))


def failures(error: Exception, count: int) -> list[Outcome]:
    """Returns the outcomes of asks that failed with an error while others are committed."""
    if isinstance(error, Refusal):
        return [error] * count
    return [refusal_from_database(error, is_read=False) or Internal()] * count


class _Group(NamedTuple):
    """Asks of one call, and the future of their outcomes."""

    asks: Sequence[Ask]
    outcomes: "asyncio.Future[list[Outcome]]"


class _Queue:
    """The queue of one lane, and the task that runs its transactions."""

    def __init__(
        self,
        run: Callable[[Sequence[Ask]], Coroutine[Any, Any, list[Outcome]]],
        at_once: int,
        most: int,
    ) -> None:
        self._run = run
        self._at_once = at_once
        self._most = most
        self._groups: deque[_Group] = deque()
        self._count = 0
        self._carrier: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the queue is empty and no transaction runs."""
        return self._carrier is None

    async def ask(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Queues asks and waits for their outcomes; few enough asks share one transaction."""
        if not asks:
            return []
        if self._count + len(asks) > self._most:
            raise Unavailable
        loop = asyncio.get_running_loop()
        groups = [
            _Group(asks[first : first + self._at_once], loop.create_future())
            for first in range(0, len(asks), self._at_once)
        ]
        self._groups.extend(groups)
        self._count += len(asks)
        if self._carrier is None:
            self._carrier = loop.create_task(self._carry())
        if len(groups) == 1:
            return await groups[0].outcomes
        parts = await asyncio.gather(*(group.outcomes for group in groups))
        return [outcome for part in parts for outcome in part]

    async def _carry(self) -> None:
        """Runs transactions until the queue is empty."""
        try:
            while groups := self._next():
                asks = [ask for group in groups for ask in group.asks]
                try:
                    outcomes = await self._run(asks)
                except Exception as error:  # noqa: BLE001 - told to all who wait for it
                    _fail(groups, error)
                else:
                    _tell(groups, outcomes)
        finally:
            self._carrier = None
            for group in self._groups:
                group.outcomes.cancel()

    def _next(self) -> list[_Group]:
        """Takes the groups that fit into one transaction, and drops cancelled ones."""
        taken: list[_Group] = []
        count = 0
        while self._groups and count + len(self._groups[0].asks) <= self._at_once:
            group = self._groups.popleft()
            self._count -= len(group.asks)
            if not group.outcomes.done():
                taken.append(group)
                count += len(group.asks)
        return taken


def _fail(groups: Sequence[_Group], error: Exception) -> None:
    for group in groups:
        if not group.outcomes.done():
            group.outcomes.set_exception(error)


def _tell(groups: Sequence[_Group], outcomes: Sequence[Outcome]) -> None:
    first = 0
    for group in groups:
        last = first + len(group.asks)
        if not group.outcomes.done():
            group.outcomes.set_result(list(outcomes[first:last]))
        first = last
