"""Combines requests: those that arrive while a batch is in flight are sent in the next one.

No request waits for a timer: the first one is sent at the end of the loop's turn. One batch is in
flight at a time, so batches grow with the load, and each request costs less. A batch takes at most
half of the current callers, including those of the batch that has just come back, who may ask again
at once. So this process handles one half while the service works on the other, and neither waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from services.kit.concurrency.timer import Deadline
from services.kit.rpc.errors import Unavailable

TURNS_TO_LEAVE = 2
"""Turns of the loop until a call is sent: one for the caller's task, one for gRPC's."""

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class _Waiter(Generic[ItemT, ResultT]):
    """An item, and the future that its caller waits for."""

    __slots__ = ("answer", "deadline", "item", "was_sent")

    def __init__(self, item: ItemT, answer: "asyncio.Future[ResultT]", deadline: float) -> None:
        self.item = item
        self.answer = answer
        self.deadline = deadline
        self.was_sent = False

    def time_out(self) -> None:
        """Fails the item; Unavailable says that it was never sent, and so is certainly not done."""
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

    async def wait(self) -> None:
        """Waits until sending has succeeded or failed."""
        await asyncio.wait([self._results])

    def deliver(self) -> None:
        """Sets the results of the items; cancels the callers if sending was cancelled."""
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
    """Sends items in batches of at most `at_once`, and returns to each caller its own result.

    `send` gets the items in the order of their arrival and returns as many results; an exception
    that it raises is raised to all callers of the batch. At most `waiting` items wait; any more are
    refused at once. Up to `whole` items are sent together, even if they are more than half.
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
        self._in_flight: Sequence[_Waiter[ItemT, ResultT]] = ()
        self._loop = asyncio.get_running_loop()
        self._next_deadline = Deadline(self._loop, self._time_out)
        self._runner: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no item waits or is in flight."""
        return self._runner is None

    async def ask(self, item: ItemT, *, timeout_seconds: float) -> ResultT:
        """Sends an item in the next batch; returns its result.

        Raises Unavailable if the item was never sent, TimeoutError if it was sent and has no result
        in time, and the exceptions of `send`. Cancelling the call does not stop an item that was
        sent.
        """
        if len(self._waiting) >= self._limit:
            raise Unavailable
        loop = self._loop
        waiter: _Waiter[ItemT, ResultT] = _Waiter(
            item, loop.create_future(), loop.time() + timeout_seconds
        )
        self._waiting.append(waiter)
        self._next_deadline.bring_forward(timeout_seconds)
        if self._runner is None:
            self._runner = loop.create_task(self._run())
        return await waiter.answer

    async def _run(self) -> None:
        """Sends batches until no item waits, each before the results of the last are delivered."""
        try:
            batch = self._send_next(returned=0)
            while batch is not None:
                await batch.wait()
                returned, batch = batch, self._send_next(returned=len(batch.waiters))
                if batch is not None:
                    for _ in range(TURNS_TO_LEAVE):
                        await asyncio.sleep(0)
                returned.deliver()
        finally:
            self._runner, self._in_flight = None, ()
            self._next_deadline.close()

    def _send_next(self, *, returned: int) -> "_Batch[ItemT, ResultT] | None":
        """Sends the next batch, if an item waits. `returned` callers may ask again at once."""
        callers = len(self._waiting) + returned
        size = min(self._at_once, max(self._whole, (callers + 1) // 2))
        self._in_flight = waiters = self._take(size)
        return _Batch(waiters, self._send) if waiters else None

    def _time_out(self) -> None:
        """Fails the items whose deadline has passed."""
        now = self._loop.time()
        for waiter in (*self._in_flight, *self._waiting):
            if waiter.deadline <= now:
                waiter.time_out()
            elif not waiter.answer.done():
                self._next_deadline.bring_forward(waiter.deadline - now)

    def _take(self, size: int) -> list[_Waiter[ItemT, ResultT]]:
        """Takes up to `size` items from the queue, without those whose callers gave up."""
        taken: list[_Waiter[ItemT, ResultT]] = []
        while self._waiting and len(taken) < size:
            waiter = self._waiting.popleft()
            if not waiter.answer.done():
                waiter.was_sent = True
                taken.append(waiter)
        return taken
