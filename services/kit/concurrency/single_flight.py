"""Shares one running task among all callers who want the same result at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from services.kit.rpc import context

KeyT = TypeVar("KeyT")
ResultT = TypeVar("ResultT")


class SingleFlight(Generic[KeyT, ResultT]):
    """Runs `work` at most once at a time for each key.

    Callers who come while it runs share its result or exception, which is not kept afterwards. A
    caller who is cancelled leaves the task to the others. The task has no deadline, as later
    callers may wait longer than the one who started it.
    """

    def __init__(self, work: Callable[[KeyT], Coroutine[Any, Any, ResultT]]) -> None:
        self._work = work
        self._tasks: dict[KeyT, asyncio.Task[ResultT]] = {}

    def __contains__(self, key: KeyT) -> bool:
        """Returns whether the work for a key is running."""
        return key in self._tasks

    def task(self, key: KeyT) -> asyncio.Task[ResultT]:
        """Returns the task that is running for a key, or starts it. Do not cancel it."""
        if key not in self._tasks:
            task = asyncio.create_task(self._run(key))
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._tasks.pop(key))
        return self._tasks[key]

    async def __call__(self, key: KeyT) -> ResultT:
        """Joins the task for a key, or starts it, and returns its result."""
        return await asyncio.shield(self.task(key))

    async def _run(self, key: KeyT) -> ResultT:
        context.set_deadline(None)
        return await self._work(key)
