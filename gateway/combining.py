"""Combining: requests that arrive while a batch is away leave together in the next one.

No timer makes anybody wait: the first request leaves at the end of the loop's turn. One batch is
away at a time, so the busier the service, the larger the batches, and the less each request costs.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from gateway.deadlines import Deadline
from services.kit.errors import Unavailable

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


class Combiner(Generic[ItemT, ResultT]):
    """Sends items in batches of at most `at_once`, and gives each its own result.

    `send` gets the items in the order of their arrival and gives as many results; what it raises is
    raised to all who wait for these. At most `waiting` items wait; any more are refused at once.
    """

    def __init__(
        self,
        send: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]],
        *,
        at_once: int,
        waiting: int,
    ) -> None:
        self._send = send
        self._at_once = at_once
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
        """Sends batches until nothing waits."""
        try:
            while batch := self._next_batch():
                self._away = batch
                await self._deliver(batch)
        finally:
            self._carrier, self._away = None, ()
            self._next_deadline.close()

    def _give_up(self) -> None:
        """Lets all go whose time is up."""
        now = self._loop.time()
        for waiter in (*self._away, *self._waiting):
            if waiter.deadline <= now:
                waiter.give_up()
            elif not waiter.answer.done():
                self._next_deadline.bring_forward(waiter.deadline - now)

    def _next_batch(self) -> list[_Waiter[ItemT, ResultT]]:
        """Takes those who still wait, as they came."""
        batch: list[_Waiter[ItemT, ResultT]] = []
        while self._waiting and len(batch) < self._at_once:
            waiter = self._waiting.popleft()
            if not waiter.answer.done():
                waiter.was_sent = True
                batch.append(waiter)
        return batch

    async def _deliver(self, batch: Sequence[_Waiter[ItemT, ResultT]]) -> None:
        try:
            results = await self._send([waiter.item for waiter in batch])
        except Exception as error:  # noqa: BLE001 - it is for those who wait to handle
            for waiter in batch:
                if not waiter.answer.done():
                    waiter.answer.set_exception(error)
            return
        for waiter, result in zip(batch, results, strict=True):
            if not waiter.answer.done():
                waiter.answer.set_result(result)
