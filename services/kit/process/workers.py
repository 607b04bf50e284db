"""Background workers: runs them beside a block, repeats their work, survives their failures."""

import asyncio
import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import structlog

from services.kit.database.postgres import refusal_from_database
from services.kit.process import metrics
from services.kit.rpc.errors import Unavailable

log = structlog.get_logger()


async def repeat(
    work: Callable[[], Awaitable[bool]], *, every_seconds: float, rest: float = 0
) -> None:
    """Calls `work` again and again until cancelled.

    `work` returns whether there is more to do at once. If not, or if it failed, it is called again
    after `every_seconds`; otherwise after `rest` times as long as it took, for work that takes a
    processor from others. A failure never ends the worker. A failure that is no outage or
    overload of the database is a defect: it is logged with its traceback and counted.
    """
    name = _name(work)
    while True:
        began = time.monotonic()
        try:
            has_more = await work()
        except Exception as error:
            has_more = False
            if isinstance(error, Unavailable) or refusal_from_database(error, is_read=True):
                log.warning("worker waits for the database", worker=name, error=str(error).strip())
            else:
                metrics.WORKER_FAILURES.labels(name).inc()
                log.exception("worker failed", worker=name)
        pause = rest * (time.monotonic() - began) if has_more else every_seconds
        if pause:
            await asyncio.sleep(pause)


@contextlib.asynccontextmanager
async def running(*workers: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs workers beside the block and cancels them at its end; a failed one ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = {group.create_task(worker) for worker in workers}
        try:
            yield
        finally:
            await _cancel(tasks)


def _name(work: Callable[[], Awaitable[bool]]) -> str:
    """Returns the name of what is repeated, with the class of the object whose method it is."""
    if inspect.ismethod(work):
        return f"{type(work.__self__).__name__}.{work.__name__}"
    return getattr(work, "__qualname__", repr(work))


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    """Cancels tasks until all have ended: Python 3.11 can lose a cancellation in `wait_for`."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=1)
