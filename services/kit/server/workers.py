"""Work that goes on beside the serving of calls."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.kit.database.postgres import refusal_of
from services.kit.server import metrics

log = structlog.get_logger()


async def repeat(work: Callable[[], Awaitable[bool]], *, every_seconds: float) -> None:
    """Does a piece of work again and again until cancelled.

    `work` tells whether there is more to do at once; else, or when it failed, it is left alone for
    `every_seconds`. An error that the database does not explain is a defect, logged and counted; it
    must not stop those who are served beside it.
    """
    name = getattr(work, "__qualname__", repr(work))
    while True:
        try:
            has_more = await work()
        except Exception as error:
            has_more = False
            if refusal_of(error, is_read=True):
                log.warning("worker waits for the database", worker=name, error=str(error).strip())
            else:
                metrics.WORKER_FAILURES.labels(name).inc()
                log.exception("worker failed", worker=name)
        if not has_more:
            await asyncio.sleep(every_seconds)
