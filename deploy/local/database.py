"""The database of a run, embedded or of the user's own, brought to the newest schema."""

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg

from deploy.local.errors import MigrationError
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.settings import RunSettings
from services.kit.migrations import ChangedMigrationError
from services.migrate import SERVICES, migrate_all

NAME = "boxoffice"


class Database:
    """Where the services keep their data, seen with the rights of its owner.

    `server` is None for a database of the user's own.
    """

    def __init__(self, owner_dsn: str, directory: Path, server: EmbeddedPostgres | None) -> None:
        self.server = server
        self._owner_dsn = owner_dsn
        self._directory = directory

    def migrate(self) -> dict[str, str]:
        """Brings every schema to its newest form; returns the DSN of each service by its name.

        Raises MigrationError.
        """
        secret = _secret(self._directory / "secret")
        passwords = {
            service: hmac.new(secret, service.encode(), hashlib.sha256).hexdigest()
            for service in SERVICES
        }
        try:
            return migrate_all(self._owner_dsn, passwords)
        except ChangedMigrationError as exc:
            remedy = "`make reset` removes the data of an older development run"
            raise MigrationError(f"the database could not be migrated: {exc}; {remedy}") from exc
        except psycopg.Error as exc:
            raise MigrationError(f"the database could not be migrated: {exc}") from exc


@contextlib.contextmanager
def open_database(settings: RunSettings) -> Iterator[Database]:
    """Gives the database that the settings ask for; an embedded server runs while it is open."""
    directory = settings.data_directory
    directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    if settings.database_url:
        yield Database(settings.database_url, directory, None)
        return
    with EmbeddedPostgres(directory) as server:
        yield Database(server.create_database(NAME), directory, server)


def _secret(path: Path) -> bytes:
    """Reads, or makes, what the roles' passwords are derived from, so that they stay the same."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_bytes()
