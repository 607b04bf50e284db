"""The database of a run, embedded or of the user's own, brought to the newest schema."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from deploy.local.errors import MigrationError, PostgresError
from deploy.local.postgres.disk_space import full_disk
from deploy.local.postgres.server import EmbeddedPostgres
from deploy.local.secret import derived, load_secret
from deploy.local.settings import RunSettings
from services.kit.database.migrations import ChangedMigrationError
from services.kit.process.environment import SettingsError
from services.migrate import SERVICES, migrate_all

NAME = "boxoffice"


class Database:
    """The database of a run, with the rights of its owner.

    `server` is None for a database of the user's own.
    """

    def __init__(self, owner_dsn: str, directory: Path, server: EmbeddedPostgres | None) -> None:
        self.server = server
        self.owner_dsn = owner_dsn
        self._directory = directory

    def migrate(self) -> dict[str, str]:
        """Brings every schema to its newest form; returns the DSN of each service by its name.

        Raises MigrationError.
        """
        secret = load_secret(self._directory)
        passwords = {service: derived(secret, service) for service in SERVICES}
        try:
            return migrate_all(self.owner_dsn, passwords)
        except ChangedMigrationError as exc:
            remedy = "of a development run, `make reset` removes the data"
            raise MigrationError(f"the database could not be migrated: {exc}; {remedy}") from exc
        except psycopg.Error as exc:
            reason = full_disk(self._directory, str(exc)) or exc
            raise MigrationError(f"the database could not be migrated: {reason}") from exc


@contextlib.contextmanager
def open_database(settings: RunSettings) -> Iterator[Database]:
    """Yields the database of the settings; an embedded server runs during the block."""
    directory = data_directory(settings)
    if settings.database_url:
        yield Database(settings.database_url, directory, None)
        return
    with EmbeddedPostgres(directory, binaries=settings.postgres_bin) as server:
        yield Database(_created(server, directory), directory, server)


def data_directory(settings: RunSettings) -> Path:
    """Creates the data directory and returns it. Raises SettingsError if it cannot be used."""
    directory = settings.data_directory
    try:
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "it is no folder" if is_file else error.strerror
        wanted = "must be a folder that can be written to"
        raise SettingsError(f"BOXOFFICE_DATA_DIRECTORY={directory} {wanted}: {reason}") from error
    return directory


def _created(server: EmbeddedPostgres, directory: Path) -> str:
    try:
        return server.create_database(NAME)
    except psycopg.Error as error:
        reason = full_disk(directory, str(error)) or error
        raise PostgresError(f"the database could not be created: {reason}") from error
