"""One server in production, as `boxoffice up` runs it: closed, with secrets that are kept."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.database import Database, data_directory
from deploy.local.postgres.folder_access import reachable, server_account
from deploy.local.samples.admin import admin_authorization
from deploy.local.samples.client import Client
from deploy.local.samples.loading import load
from deploy.local.secret import derived, load_secret
from deploy.local.settings import RunSettings, installed_directory
from services.accounts.credentials.signing_keys import SigningKeys
from services.kit.database.postgres import open_pool
from services.kit.process.environment import SettingsError

SECRETS = ("BOXOFFICE_SERVICE_KEY", "ACCOUNTS_CODE_PEPPER")
"""Secrets that are derived from that of the data directory, unless they are set."""
_COMMANDS_DIRECTORY = RunSettings.model_fields["data_directory"].default


def production_settings(data: Path | None = None) -> RunSettings:
    """Reads the settings of a run in production, and makes its folder. Raises SettingsError."""
    found = chosen_settings(data)
    if not found.database_url:
        _expect_reachable(data_directory(found))
    return found


def chosen_settings(data: Path | None) -> RunSettings:
    """Reads the settings of a run in production. Raises SettingsError.

    Access is closed unless it is opened. The data is in `data`, else where
    BOXOFFICE_DATA_DIRECTORY says, else in the place for data of this user.
    """
    settings = RunSettings.load()
    changed: dict[str, object] = {"reload": False}
    if data is not None:
        changed["data_directory"] = data.absolute()
    elif "data_directory" not in settings.model_fields_set:
        changed["data_directory"] = installed_directory()
    if "open_access" not in settings.model_fields_set:
        changed["open_access"] = False
    return settings.model_copy(update=changed)


class Production:
    """The mode of `boxoffice up`; see Mode."""

    def __init__(self, settings: RunSettings, *, with_samples: bool) -> None:
        secret = load_secret(data_directory(settings))
        self.defaults: Mapping[str, str] = {
            name: derived(secret, name)
            for name in SECRETS
            if not (os.environ.get(name) or os.environ.get(f"{name}_FILE"))
        }
        # The processes are installed: nothing in the folder that they start in must be imported.
        self.fixed: Mapping[str, str] = {"BOXOFFICE_ENV": "production", "PYTHONSAFEPATH": "1"}
        self.folder = settings.data_directory
        self._settings = settings
        self._with_samples = with_samples

    @contextlib.asynccontextmanager
    async def mail_server(self) -> AsyncIterator[str]:
        """Yields the URL of the settings, which may be empty: then letters wait."""
        yield self._settings.smtp_url

    async def prepare(self, database: Database) -> None:
        """Makes the first key that signs access tokens, which production expects."""
        async with open_pool(database.owner_dsn, schema="accounts", size=2) as pool:
            keys = SigningKeys(pool)
            if not await keys.list_published():
                await keys.rotate()

    async def wait_for_change(self) -> None:
        """Never returns: what is installed does not change."""
        await asyncio.Event().wait()

    async def welcome(self, database: Database) -> str:
        """Loads sample data if that was asked for; returns where everything is."""
        if self._with_samples:
            authorization = await admin_authorization(database.owner_dsn)
            admin = Client(self._settings.gateway_url, authorization)
            await asyncio.to_thread(load, admin, admin, datetime.now(UTC))
        return _text(self._settings, is_embedded=database.server is not None)


def _expect_reachable(directory: Path) -> None:
    """Raises SettingsError for a folder of root's that PostgreSQL's user cannot reach.

    A development run keeps its data elsewhere then, in a place that systems clean up.
    """
    if not reachable(directory / "postgres", server_account()):
        raise SettingsError(
            f"BOXOFFICE_DATA_DIRECTORY={directory} must be a folder that every user can reach, "
            "since PostgreSQL does not run as root"
        )


def _text(settings: RunSettings, *, is_embedded: bool) -> str:
    where = settings.data_directory if is_embedded else "in a PostgreSQL of your own"
    is_default = settings.data_directory == _COMMANDS_DIRECTORY or not is_embedded
    setting = "" if is_default else f"BOXOFFICE_DATA_DIRECTORY={settings.data_directory} "
    mail = "by ACCOUNTS_SMTP_URL" if settings.smtp_url else "waits: ACCOUNTS_SMTP_URL is not set"
    return f"""
Boxoffice is ready: {settings.page_url}

  REST      {settings.gateway_url}
  events    127.0.0.1:{settings.events_port} (gRPC)
  bookings  127.0.0.1:{settings.bookings_port} (gRPC)
  accounts  127.0.0.1:{settings.accounts_port} (gRPC)
  mail      {mail}
  data      {where}

Make the first admin, who needs no mail; the command asks for a password:

  {setting}boxoffice make-admin you@example.com --create

Ctrl-C stops everything; the data stays.
"""
