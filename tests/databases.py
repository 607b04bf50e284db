"""Databases for tests: copies of a migrated template, and one that tests use in turn."""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.local.postgres.server import EmbeddedPostgres
from services.migrate import SERVICES

TEMPLATE = "boxoffice_template"
PASSWORDS = {service: f"{service}-secret" for service in SERVICES}
POOLER_PORT = "TEST_POOLER_PORT"
"""Environment variable with the port of a pooler, if services reach their databases through one."""
RESET = Path(__file__).parent / "reset.sql"
LEAVE_SECONDS = 30

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database: the owner's DSN, and each service's own."""

    owner_dsn: str
    events_dsn: str
    bookings_dsn: str
    accounts_dsn: str


class ReusedDatabase:
    """Lends one database to tests in turn, reset to the state of a fresh copy.

    Making and dropping a copy takes a third of a second of processor time, emptying the tables that
    a test wrote to takes milliseconds. A test that changes more of the schema than functions still
    costs a copy. Roles and other objects of the whole server are not reset.
    """

    def __init__(
        self, copied: Callable[[], AbstractContextManager[Database]], reset: bytes
    ) -> None:
        self._copied = copied
        self._reset_script = reset
        self._copy = contextlib.ExitStack()
        self._database: Database | None = None

    def lend(self) -> Database:
        """Returns the database, reset; other sessions are disconnected."""
        if self._database is None or not _reset(self._database):
            self.close()
            self._database = self._copy.enter_context(self._copied())
            with psycopg.connect(self._database.owner_dsn) as connection:
                connection.execute(self._reset_script)
        return self._database

    def close(self) -> None:
        """Drops the database."""
        self._copy.close()
        self._database = None


@contextlib.contextmanager
def cloned(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """Yields a fresh copy of the template, and drops it afterwards."""
    name = f"test_{next(_numbers)}"
    owner_dsn = postgres.create_database(name, template=TEMPLATE)
    roles = {
        service: make_conninfo(
            owner_dsn,
            user=f"boxoffice_{service}",
            password=PASSWORDS[service],
            **pooler(),
        )
        for service in SERVICES
    }
    yield Database(owner_dsn, roles["events"], roles["bookings"], roles["accounts"])
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        connection.execute(drop.format(sql.Identifier(name)))


def pooler() -> dict[str, str]:
    """Returns where the pooler is, if there is one."""
    port = os.environ.get(POOLER_PORT)
    return {"host": "127.0.0.1", "port": port} if port else {}


def _reset(database: Database) -> bool:
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        _disconnect_others(connection)
        [row] = connection.execute("SELECT fresh.reset()").fetchall()
        return bool(row[0])


def _disconnect_others(connection: psycopg.Connection) -> None:
    """Ends the sessions that a test left, and waits until their locks are released."""
    deadline = time.monotonic() + LEAVE_SECONDS
    leave = """
        SELECT pg_terminate_backend(pid)
        FROM pg_stat_activity
        WHERE datname = current_database()
            AND backend_type = 'client backend'
            AND pid <> pg_backend_pid()
    """
    while connection.execute(leave).rowcount:
        assert time.monotonic() < deadline, "a session of an earlier test does not end"
        time.sleep(0.005)  # the end of a session causes no event
