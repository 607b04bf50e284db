"""Runs all of Boxoffice on one machine: database, services and gateway."""

import asyncio
import signal
from collections.abc import Coroutine, Mapping
from typing import Any

from deploy.local.database import Database
from deploy.local.errors import ChildEndedError, LocalRunError
from deploy.local.log_printer import LogPrinter
from deploy.local.processes.child_process import Child
from deploy.local.processes.environment import environment
from deploy.local.processes.mode import Mode
from deploy.local.processes.readiness import wait_until_ready
from deploy.local.settings import RunSettings

GATEWAY = "gateway"
MODULES = {
    "accounts": "services.accounts",
    "events": "services.events",
    "bookings": "services.bookings",
    GATEWAY: "gateway",
}


class Runner:
    """One run, from the first process started to the last one stopped."""

    def __init__(
        self,
        settings: RunSettings,
        database: Database,
        printer: LogPrinter,
        mode: Mode,
        *,
        modules: Mapping[str, str] = MODULES,
    ) -> None:
        self._settings = settings
        self._database = database
        self._printer = printer
        self._mode = mode
        self._modules = modules
        self._smtp_url = ""
        self._children: list[Child] = []
        self._announced = False
        self._stopped = asyncio.Event()
        self._forced = asyncio.Event()

    async def run(self) -> None:
        """Runs until a signal stops it. Raises LocalRunError when a process ends by itself.

        Stops all that it started before it returns or raises.
        """
        self._listen_to_signals()
        try:
            await first_of(self._work(), self._database_ended(), self._stopped.wait())
        finally:
            await self._stop_children()
            if self._database.server is not None:
                self._database.server.stop(force=self._forced.is_set())

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
            loop.add_signal_handler(signal.SIGHUP, self._stop)

    def _stop(self) -> None:
        if self._stopped.is_set():
            self._forced.set()
        else:
            self._printer.say("Stopping. Once more to stop at once.")
        self._stopped.set()

    async def _work(self) -> None:
        async with self._mode.mail_server() as self._smtp_url:
            while True:
                await first_of(self._serve(), self._mode.wait_for_change())
                self._printer.say("A file changed: starting again.")
                await self._stop_children()

    async def _serve(self) -> None:
        """Starts and watches the processes; when reloading, a failure waits for the next change."""
        try:
            await self._start_children()
            ended = (child.ended() for child in self._children)
            await first_of(self._announce(), *ended)
        except LocalRunError as exc:
            if not self._settings.reload:
                raise
            self._printer.say(f"Boxoffice: {exc}. Waiting for a change.")
            await self._stopped.wait()

    async def _start_children(self) -> None:
        dsns = await asyncio.to_thread(self._database.migrate)
        await self._mode.prepare(self._database)
        for name, module in self._modules.items():
            self._children.append(
                await Child.start(
                    name,
                    module,
                    environment=environment(self._settings, self._mode, dsns, self._smtp_url),
                    folder=self._mode.folder,
                    printer=self._printer,
                )
            )

    async def _announce(self) -> None:
        await wait_until_ready(self._settings.gateway_url)
        if not self._announced:
            self._printer.say(await self._mode.welcome(self._database))
            self._announced = True
        await self._stopped.wait()

    async def _database_ended(self) -> None:
        server = self._database.server
        if server is None:
            await self._stopped.wait()
        else:
            await asyncio.to_thread(server.wait)
            raise ChildEndedError(f"PostgreSQL ended by itself: {server.failure_reason()}")

    async def _stop_children(self) -> None:
        """Stops the gateway before the services that it calls."""
        gateway = [child for child in self._children if child.name == GATEWAY]
        services = [child for child in self._children if child.name != GATEWAY]
        for group in (gateway, services):
            await asyncio.gather(*(child.stop(self._forced) for child in group))
        self._children.clear()


async def first_of(*work: Coroutine[Any, Any, object]) -> None:
    """Runs all until the first has ended, cancels the others, and raises what the first raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
