"""Combining: requests that arrive while a batch is away leave together in the next one.

No timer makes anybody wait: the first request leaves at the end of the loop's turn. One batch is
away at a time, so the busier the service, the larger the batches, and the less each request costs.
A batch takes no more than half of all who ask at that time, those included who were answered just
now and are about to ask again: while it is away there is the other half to answer and to read from,
so neither side waits for the other.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from services.kit.concurrency.timer import Deadline
from services.kit.rpc.errors import Unavailable

TURNS_TO_LEAVE = 2
"""Turns of the loop until a call is on its way: that of who makes it, then that of gRPC's task."""

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class _Waiter(Generic[ItemT, ResultT]):
    """An item and the answer that somebody waits for."""

    __slots__ = ("answer", "deadline", "item", "was_sent")

    def __init__(self, item: ItemT, answer: "asyncio.Future[ResultT]", deadline: float) -> None:
        self.item = item
        self.answer = answer
        self.deadline = deadline
        self.was_sent = False

    def give_up(self) -> None:
        """Ends the waiting: what was not sent is certainly not done."""
        if not self.answer.done():
            self.answer.set_exception(TimeoutError() if self.was_sent else Unavailable())


class _Batch(Generic[ItemT, ResultT]):
    """Items that were sent together."""

    def __init__(
        self,
        waiters: Sequence[_Waiter[ItemT, ResultT]],
        send: Callable[[Sequence[ItemT]], Coroutine[Any, Any, Sequence[ResultT]]],
    ) -> None:
        self.waiters = waiters
        self._results = asyncio.create_task(send([waiter.item for waiter in waiters]))

    async def is_back(self) -> None:
        """Waits until it is known what became of the items, whatever it is."""
        await asyncio.wait([self._results])

    def tell(self) -> None:
        """Tells those who still wait; where sending was given up nobody waits any longer."""
        if self._results.cancelled():
            for waiter in self.waiters:
                waiter.answer.cancel()
            return
        error = self._results.exception()
        results: Sequence[ResultT] = () if error else self._results.result()
        for number, waiter in enumerate(self.waiters):
            if waiter.answer.done():
                continue
            if error:
                waiter.answer.set_exception(error)
            else:
                waiter.answer.set_result(results[number])


class Combiner(Generic[ItemT, ResultT]):
    """Sends items in batches of at most `at_once`, and gives each its own result.

    `send` gets the items in the order of their arrival and gives as many results; what it raises is
    raised to all who wait for these. At most `waiting` items wait; any more are refused at once.
    Batches of up to `whole` items are never made smaller.
    """

    def __init__(
        self,
        send: Callable[[Sequence[ItemT]], Coroutine[Any, Any, Sequence[ResultT]]],
        *,
        at_once: int,
        waiting: int,
        whole: int = 16,
    ) -> None:
        self._send = send
        self._at_once = at_once
        self._whole = whole
        self._limit = waiting
        self._waiting: deque[_Waiter[ItemT, ResultT]] = deque()
        self._away: Sequence[_Waiter[ItemT, ResultT]] = ()
        self._loop = asyncio.get_running_loop()
        self._next_deadline = Deadline(self._loop, self._give_up)
        self._carrier: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is away."""
        return self._carrier is None

    async def ask(self, item: ItemT, *, timeout_seconds: float) -> ResultT:
        """Gives the item's result.

        Raises Unavailable for an item that was never sent, TimeoutError for one that was sent and
        has no result in time, and what `send` says. Whoever stops waiting for an item that is away
        does not stop the item.
        """
        if len(self._waiting) >= self._limit:
            raise Unavailable
        loop = self._loop
        waiter: _Waiter[ItemT, ResultT] = _Waiter(
            item, loop.create_future(), loop.time() + timeout_seconds
        )
        self._waiting.append(waiter)
        self._next_deadline.bring_forward(timeout_seconds)
        if self._carrier is None:
            self._carrier = loop.create_task(self._carry())
        return await waiter.answer

    async def _carry(self) -> None:
        """Sends batches until nothing waits; each leaves before the last one's answers are told."""
        try:
            batch = self._leave(beside=0)
            while batch is not None:
                await batch.is_back()
                back, batch = batch, self._leave(beside=len(batch.waiters))
                if batch is not None:
                    for _ in range(TURNS_TO_LEAVE):
                        await asyncio.sleep(0)
                back.tell()
        finally:
            self._carrier, self._away = None, ()
            self._next_deadline.close()

    def _leave(self, *, beside: int) -> "_Batch[ItemT, ResultT] | None":
        """Sends the next batch, if anybody waits; so many others are about to ask again."""
        everybody = len(self._waiting) + beside
        most = min(self._at_once, max(self._whole, (everybody + 1) // 2))
        self._away = waiters = self._next(most)
        return _Batch(waiters, self._send) if waiters else None

    def _give_up(self) -> None:
        """Lets all go whose time is up."""
        now = self._loop.time()
        for waiter in (*self._away, *self._waiting):
            if waiter.deadline <= now:
                waiter.give_up()
            elif not waiter.answer.done():
                self._next_deadline.bring_forward(waiter.deadline - now)

    def _next(self, most: int) -> list[_Waiter[ItemT, ResultT]]:
        """Takes those who still wait, as they came."""
        taken: list[_Waiter[ItemT, ResultT]] = []
        while self._waiting and len(taken) < most:
            waiter = self._waiting.popleft()
            if not waiter.answer.done():
                waiter.was_sent = True
                taken.append(waiter)
        return taken
