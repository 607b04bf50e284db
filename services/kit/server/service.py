"""What the processes of all services do alike: start, serve with workers beside, and end."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import uvloop

from services.kit.auth.authentication import Authenticator
from services.kit.auth.trusted_keys import REFRESH_SECONDS
from services.kit.database import postgres
from services.kit.rpc.errors import StartError
from services.kit.server import failpoints, logging, metrics
from services.kit.server.environment import refuse
from services.kit.server.server import Server, collect_rarely, running, terminated
from services.kit.server.settings import ServiceSettings
from services.kit.server.workers import repeat

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def main(
    name: str,
    settings: type[SettingsT],
    serving: Callable[[SettingsT], AbstractAsyncContextManager[int]],
) -> None:
    """Serves until SIGTERM or SIGINT; ends the process with a word where it may not start."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(name, settings.load(), serving))
    except StartError as error:
        sys.exit(refuse(f"Boxoffice {name}", error))


@contextlib.asynccontextmanager
async def at_work(
    server: Server,
    pools: Sequence[postgres.Pool],
    authenticator: Authenticator,
    *workers: Coroutine[Any, Any, None],
) -> AsyncIterator[None]:
    """Lets a server accept calls while the block runs, with workers beside it."""
    await server.start()
    async with running(
        server.watch_database(lambda: postgres.are_reachable(pools)),
        repeat(authenticator.refresh, every_seconds=REFRESH_SECONDS),
        *workers,
    ):
        try:
            yield
        finally:
            await server.stop()


async def _run(
    name: str,
    settings: SettingsT,
    serving: Callable[[SettingsT], AbstractAsyncContextManager[int]],
) -> None:
    logging.configure(name, settings.log_level)
    failpoints.arm(settings.failpoints)
    metrics.expose(settings.metrics_listen)
    async with serving(settings):
        collect_rarely()
        await terminated()
