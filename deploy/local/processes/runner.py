"""Runs all of Boxoffice on one machine: database, services, gateway, sample data."""

import asyncio
import os
import secrets
import signal
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local.banner import banner
from deploy.local.database import Database
from deploy.local.errors import ChildEndedError, LocalRunError
from deploy.local.log_printer import LogPrinter
from deploy.local.mailbox.smtp_server import open_mailbox
from deploy.local.processes.child_process import Child
from deploy.local.processes.file_watcher import wait_for_change
from deploy.local.processes.readiness import wait_until_ready
from deploy.local.samples.client import Client
from deploy.local.samples.loading import Samples, load
from deploy.local.settings import PROJECT, RunSettings

GATEWAY = "gateway"
MODULES = {
    "accounts": "services.accounts",
    "events": "services.events",
    "bookings": "services.bookings",
    GATEWAY: "gateway",
}
LOCAL_ORIGINS = ",".join(
    f"{scheme}://{host}:*"
    for host in ("localhost", "127.0.0.1", "[::1]")
    for scheme in ("http", "https")
)
DEVELOPMENT_DEFAULTS = {
    "ACCOUNTS_ORGANIZER_SIGN_UP": "open",
    "ACCOUNTS_REFUSE_COMMON_PASSWORDS": "false",
    "BOOKINGS_PAYMENT_PROVIDERS": "sandbox",
    # The gateway has a line for each request; the services need not repeat them.
    "BOXOFFICE_LOG_SAMPLE": "0",
    "BOXOFFICE_REFLECTION": "true",
    "GATEWAY_CORS_ORIGINS": LOCAL_ORIGINS,
    "GATEWAY_LOG_REQUESTS": "true",
}
"""Settings that have another default in the development run than in production."""

_OWNER_ONLY = ("BOXOFFICE_DATABASE_URL", "DATABASE_URL")


class Runner:
    """One run, from the first process started to the last one stopped."""

    def __init__(
        self,
        settings: RunSettings,
        database: Database,
        printer: LogPrinter,
        *,
        modules: Mapping[str, str] = MODULES,
        folder: Path = PROJECT,
    ) -> None:
        self._settings = settings
        self._database = database
        self._printer = printer
        self._modules = modules
        self._folder = folder
        self._service_key = secrets.token_urlsafe(32)
        self._smtp_url = settings.smtp_url
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
        if self._smtp_url:
            await self._serve_always()
        async with open_mailbox(self._printer, page_port=self._settings.mailbox_port) as url:
            self._smtp_url = url
            await self._serve_always()

    async def _serve_always(self) -> None:
        while True:
            await first_of(self._serve(), wait_for_change(self._settings, self._folder))
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
        for name, module in self._modules.items():
            self._children.append(
                await Child.start(
                    name,
                    module,
                    environment=environment(
                        self._settings, dsns, self._service_key, self._smtp_url
                    ),
                    folder=self._folder,
                    printer=self._printer,
                )
            )

    async def _announce(self) -> None:
        await wait_until_ready(self._settings.gateway_url)
        if not self._announced:
            self._printer.say(await self._welcome())
            self._announced = True
        await self._stopped.wait()

    async def _welcome(self) -> str:
        """Loads sample data where that needs no account, and returns the banner."""
        samples = await self._load_samples() if self._settings.open_access else Samples()
        embedded = self._database.server is not None
        where = self._settings.data_directory if embedded else "in a PostgreSQL of your own"
        return banner(self._settings, samples, str(where))

    async def _load_samples(self) -> Samples:
        url, authorization = self._settings.gateway_url, await self._database.admin_authorization()
        admin, anybody = Client(url, authorization), Client(url)
        return await asyncio.to_thread(load, admin, anybody, datetime.now(UTC))

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


def environment(
    settings: RunSettings, dsns: Mapping[str, str], service_key: str, smtp_url: str
) -> dict[str, str]:
    """Returns the environment of every process: this one's without the owner's database URL."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OWNER_ONLY}
    accounts = f"127.0.0.1:{settings.accounts_port}"
    events = f"127.0.0.1:{settings.events_port}"
    bookings = f"127.0.0.1:{settings.bookings_port}"
    return {
        **DEVELOPMENT_DEFAULTS,
        **inherited,
        "ACCOUNTS_DATABASE_URL": dsns["accounts"],
        "ACCOUNTS_LISTEN": accounts,
        "ACCOUNTS_SMTP_URL": smtp_url,
        "BOXOFFICE_LOG_LEVEL": settings.log_level,
        "BOXOFFICE_OPEN_ACCESS": str(settings.open_access).lower(),
        "BOXOFFICE_SERVICE_KEY": service_key,
        "BOOKINGS_ACCOUNTS_TARGET": accounts,
        "BOOKINGS_DATABASE_URL": dsns["bookings"],
        "BOOKINGS_EVENTS_TARGET": events,
        "BOOKINGS_LISTEN": bookings,
        "EVENTS_ACCOUNTS_TARGET": accounts,
        "EVENTS_BOOKINGS_TARGET": bookings,
        "EVENTS_DATABASE_URL": dsns["events"],
        "EVENTS_LISTEN": events,
        "EXTRA_PORTS": ",".join(str(port) for port in settings.extra_ports),
        "GATEWAY_ACCOUNTS_TARGET": accounts,
        "GATEWAY_BOOKINGS_TARGET": bookings,
        "GATEWAY_EVENTS_TARGET": events,
        "GATEWAY_HOST": settings.host,
        "GATEWAY_MAILBOX_URL": settings.mailbox_url,
        "PORT": str(settings.port),
    }


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
