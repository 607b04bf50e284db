"""Work that goes on beside the serving of calls."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import structlog
from psycopg_pool import PoolTimeout, TooManyRequests

log = structlog.get_logger()


async def repeat(work: Callable[[], Awaitable[bool]], *, every_seconds: float) -> None:
    """Does a piece of work again and again until cancelled.

    `work` tells whether there is more to do at once; else it is left alone for `every_seconds`. A
    database that cannot be reached is waited for; any other error is a defect and ends the worker.
    """
    name = getattr(work, "__qualname__", repr(work))
    while True:
        try:
            has_more = await work()
        except (psycopg.OperationalError, PoolTimeout, TooManyRequests) as error:
            log.warning("worker waits for the database", worker=name, error=str(error).strip())
            has_more = False
        if not has_more:
            await asyncio.sleep(every_seconds)
