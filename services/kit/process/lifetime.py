"""The life of a process: tunes garbage collection after the start, waits for the end."""

import asyncio
import gc
import signal

import structlog

log = structlog.get_logger()


def tune_garbage_collection() -> None:
    """Makes the cyclic garbage collector run rarely, and exempts the objects that exist now.

    Requests create almost no reference cycles, and each collection delays all requests: under load
    the slowest requests waited for little else.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def wait_for_termination() -> None:
    """Waits for SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    log.info("stopping")
