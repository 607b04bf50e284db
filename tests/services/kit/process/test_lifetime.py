"""The end of a process."""

import asyncio
import os
import signal

import pytest

from services.kit.process.lifetime import wait_for_termination


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_wait(number: signal.Signals) -> None:
    """SIGTERM or Ctrl-C could kill the process in the middle of its requests."""
    waiting = asyncio.create_task(wait_for_termination())
    await asyncio.sleep(0)
    os.kill(os.getpid(), number)
    try:
        await asyncio.wait_for(waiting, 5)
    finally:
        for handled in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(handled)
