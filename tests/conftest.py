"""What every test may ask for: a database that nobody else uses meanwhile."""

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from deploy.local.postgres.server import EmbeddedPostgres, temporary_postgres
from deploy.local.settings import RunSettings
from services.migrate import migrate_all
from tests.databases import PASSWORDS, TEMPLATE, Database, ReusedDatabase, cloned

__all__ = ["PASSWORDS", "TEMPLATE", "Database", "cloned"]

# Tests start processes while gRPC is at work in theirs. What they fork runs another program at
# once, so gRPC must not prepare it for calls of its own: that can hold it up for good.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

# Showing the locals of every frame of an exception takes seconds; pytest shows those that matter.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

# How fast examples are made and tried says more of the machine than of the code.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Runs one PostgreSQL for all tests, with a migrated template in it."""
    with temporary_postgres(binaries=RunSettings().postgres_bin) as server:
        migrate_all(server.create_database(TEMPLATE), PASSWORDS)
        yield server


@pytest.fixture(scope="session")
def reused_database(postgres: EmbeddedPostgres) -> Iterator[ReusedDatabase]:
    """Keeps the database that tests are lent one after another."""
    reused = ReusedDatabase(postgres)
    yield reused
    reused.close()


@pytest.fixture
def database(reused_database: ReusedDatabase) -> Database:
    """Returns a database as the migrations leave one."""
    return reused_database.lend()
