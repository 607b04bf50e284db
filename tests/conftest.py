"""Fixtures of all tests: a PostgreSQL, and a database that no other test uses meanwhile."""

import gc
import os
import sys
from collections.abc import Generator, Iterator
from functools import partial

import pytest
import structlog
from hypothesis import HealthCheck, settings

from deploy.local.postgres.server import EmbeddedPostgres, temporary_postgres
from deploy.local.settings import RunSettings
from services.migrate import migrate_all
from tests import citus
from tests.databases import PASSWORDS, RESET, TEMPLATE, Database, ReusedDatabase, cloned

__all__ = ["PASSWORDS", "TEMPLATE", "Database", "cloned"]

# Tests fork processes that run another program at once. gRPC must not prepare them for calls of
# their own, which can block for ever.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

# Hundreds of processes import the same modules, so the first one keeps their bytecode for all.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Printing the locals of every frame takes seconds; pytest shows those that matter.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

# No deadline: the speed of examples depends on the machine.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Exempts the tests, and all that they import, from garbage collection.

    A pass through them takes half a second, and finds nothing.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Runs one PostgreSQL for all tests, with a migrated template in it."""
    with temporary_postgres(binaries=RunSettings().postgres_bin) as server:
        migrate_all(server.create_database(TEMPLATE), PASSWORDS)
        yield server


@pytest.fixture(scope="session")
def reused_database(request: pytest.FixtureRequest) -> Iterator[ReusedDatabase]:
    """Keeps the database that tests use in turn: on a PostgreSQL of its own, or a user's Citus."""
    if citus.URL:
        reused = ReusedDatabase(citus.distributed, citus.reset_script())
    else:
        postgres = request.getfixturevalue("postgres")
        reused = ReusedDatabase(partial(cloned, postgres), RESET.read_bytes())
    yield reused
    reused.close()


@pytest.fixture
def database(reused_database: ReusedDatabase) -> Database:
    """Returns a migrated, empty database."""
    return reused_database.lend()
