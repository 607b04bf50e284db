"""What every test may ask for: a database of its own, cloned from one that was migrated once."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.local.postgres import EmbeddedPostgres, temporary_postgres
from services.migrate import SERVICES, migrate_all

# Tests start processes while gRPC is at work in theirs. What they fork runs another program at
# once, so gRPC must not prepare it for calls of its own: that can hold it up for good.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

TEMPLATE = "boxoffice_template"
PASSWORDS = {service: f"{service}-secret" for service in SERVICES}

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database: the owner's DSN, and each service's own."""

    owner_dsn: str
    events_dsn: str
    bookings_dsn: str
    accounts_dsn: str


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Runs one PostgreSQL for all tests, with a migrated template in it."""
    with temporary_postgres() as server:
        migrate_all(server.create_database(TEMPLATE), PASSWORDS)
        yield server


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """Gives the test a fresh copy of the template."""
    with cloned(postgres) as fresh:
        yield fresh


@contextlib.contextmanager
def cloned(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """Makes a fresh copy of the template, which is dropped in the end."""
    name = f"test_{next(_numbers)}"
    owner_dsn = postgres.create_database(name, template=TEMPLATE)
    roles = {
        service: make_conninfo(owner_dsn, user=f"boxoffice_{service}", password=PASSWORDS[service])
        for service in SERVICES
    }
    yield Database(owner_dsn, roles["events"], roles["bookings"], roles["accounts"])
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        connection.execute(drop.format(sql.Identifier(name)))
