"""The database with the rights of its owner, for commands that concern all services."""

import contextlib
from collections.abc import Iterator

import psycopg

from deploy.local.database import NAME, data_directory
from deploy.local.postgres.server import EmbeddedPostgres
from deploy.local.settings import RunSettings
from deploy.operator.errors import UnreachableError


@contextlib.contextmanager
def owner_database(*, may_start: bool = True, may_create: bool = False) -> Iterator[str]:
    """Yields the connection string of BOXOFFICE_DATABASE_URL, else of the embedded PostgreSQL.

    The latter is started for the block if it does not run, and may be. Where there is none, it is
    made if it may be. Raises UnreachableError.
    """
    settings = RunSettings.load()
    if settings.database_url:
        yield settings.database_url
        return
    if not may_create and not (settings.data_directory / "postgres").is_dir():
        raise UnreachableError("boxoffice")
    server = EmbeddedPostgres(data_directory(settings), binaries=settings.postgres_bin)
    if is_running(server):
        yield server.dsn(NAME)
        return
    if not may_start:
        raise UnreachableError("boxoffice")
    with server:
        yield server.create_database(NAME)


def is_running(server: EmbeddedPostgres) -> bool:
    """Returns whether the server of a folder accepts connections."""
    try:
        psycopg.connect(server.dsn(), connect_timeout=2).close()
    except (OSError, psycopg.OperationalError):
        return False
    return True
