"""Finds and opens the databases of services for the operator's commands."""

import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from psycopg_pool import PoolTimeout

from deploy.local.database import NAME
from deploy.local.postgres.server import EmbeddedPostgres
from deploy.local.settings import RunSettings
from deploy.operator.errors import UnreachableError
from services.kit.database.postgres import Pool, open_pool
from services.kit.process.secret_files import secret_of

OPEN_SECONDS = 3


def accounts_pool() -> AbstractAsyncContextManager[Pool]:
    """Opens a pool for the schema of accounts. Raises UnreachableError."""
    return _pool("accounts")


def events_pool() -> AbstractAsyncContextManager[Pool]:
    """Opens a pool for the schema of events. Raises UnreachableError."""
    return _pool("events")


def bookings_pool() -> AbstractAsyncContextManager[Pool]:
    """Opens a pool for the schema of bookings. Raises UnreachableError."""
    return _pool("bookings")


@contextlib.asynccontextmanager
async def _pool(service: str) -> AsyncIterator[Pool]:
    dsn, pooled = _dsn(service)
    pool = open_pool(dsn, schema=service, size=2, pooled=pooled)
    try:
        await pool.open(wait=True, timeout=OPEN_SECONDS)
    except PoolTimeout as error:
        await pool.close()
        raise UnreachableError(service) from error
    async with pool:
        yield pool


def _dsn(service: str) -> tuple[str, bool]:
    """Finds the database: the service's own, the owner's, or that of the development run.

    Returns its DSN, and whether that leads to a pooler. Raises SettingsError, and UnreachableError
    when the last one was never made.
    """
    settings = RunSettings.load()
    if own := secret_of(f"{service.upper()}_DATABASE_URL", os.environ):
        return own, settings.database_pooled
    if settings.database_url:
        return settings.database_url, False
    try:
        if not (settings.data_directory / "postgres").is_dir():
            raise UnreachableError(service)
        return EmbeddedPostgres(settings.data_directory).dsn(NAME), False
    except OSError as error:
        raise UnreachableError(service) from error
