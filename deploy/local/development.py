"""The development run: open to this machine, with sample data and a mailbox."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from deploy.local.banner import banner
from deploy.local.database import Database
from deploy.local.log_printer import LogPrinter
from deploy.local.mailbox.smtp_server import open_mailbox
from deploy.local.processes.file_watcher import wait_for_change
from deploy.local.samples.admin import admin_authorization
from deploy.local.samples.client import Client
from deploy.local.samples.loading import Samples, load
from deploy.local.settings import PROJECT, RunSettings

LOCAL_ORIGINS = ",".join(
    f"{scheme}://{host}:*"
    for host in ("localhost", "127.0.0.1", "[::1]")
    for scheme in ("http", "https")
)
DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "ACCOUNTS_ORGANIZER_SIGN_UP": "open",
        "ACCOUNTS_REFUSE_COMMON_PASSWORDS": "false",
        "BOOKINGS_PAYMENT_PROVIDERS": "sandbox",
        # The gateway has a line for each request; the services need not repeat them.
        "BOXOFFICE_LOG_SAMPLE": "0",
        "BOXOFFICE_REFLECTION": "true",
        "GATEWAY_CORS_ORIGINS": LOCAL_ORIGINS,
        "GATEWAY_LOG_REQUESTS": "true",
    }
)
"""Settings that have another default in the development run than in production."""


class Development:
    """The mode of `make run`; see Mode. `folder` has the code of the processes."""

    def __init__(
        self, settings: RunSettings, printer: LogPrinter, *, folder: Path = PROJECT
    ) -> None:
        self.defaults = DEFAULTS
        self.fixed: Mapping[str, str] = {
            "BOXOFFICE_SERVICE_KEY": secrets.token_urlsafe(32),
            "GATEWAY_MAILBOX_URL": settings.mailbox_url,
        }
        self.folder = folder
        self._settings = settings
        self._printer = printer

    @contextlib.asynccontextmanager
    async def mail_server(self) -> AsyncIterator[str]:
        """Yields the URL of the mailbox, unless the settings name a server."""
        if self._settings.smtp_url:
            yield self._settings.smtp_url
            return
        async with open_mailbox(self._printer, page_port=self._settings.mailbox_port) as url:
            yield url

    async def prepare(self, database: Database) -> None:
        """Does nothing: accounts generates the key that it needs."""

    async def wait_for_change(self) -> None:
        """Returns at the first change of the code; never while reloading is off."""
        await wait_for_change(self._settings, self.folder)

    async def welcome(self, database: Database) -> str:
        """Loads sample data where that needs no account, and returns the banner."""
        samples = await self._load(database) if self._settings.open_access else Samples()
        embedded = database.server is not None
        where = self._settings.data_directory if embedded else "in a PostgreSQL of your own"
        return banner(self._settings, samples, str(where))

    async def admin_authorization(self, database: Database) -> str:
        """Returns the `authorization` of an admin, with which the run loads sample data."""
        return await admin_authorization(database.owner_dsn)

    async def _load(self, database: Database) -> Samples:
        url, authorization = self._settings.gateway_url, await self.admin_authorization(database)
        admin, anybody = Client(url, authorization), Client(url)
        return await asyncio.to_thread(load, admin, anybody, datetime.now(UTC))
