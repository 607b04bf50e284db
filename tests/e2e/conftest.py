"""Running systems: one shared by tests that stop nothing, and others for single tests."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.postgres.server import EmbeddedPostgres
from tests.conftest import Database, cloned
from tests.e2e.client import open_client
from tests.e2e.system import System

Start = Callable[..., System]


@pytest.fixture(scope="session")
def system(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Runs a system with open access, for tests that stop nothing."""
    with (
        cloned(postgres) as database,
        System(database, tmp_path_factory.mktemp("system"), BOXOFFICE_REFLECTION="true") as running,
    ):
        yield running


@pytest.fixture(scope="session")
def replicated(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Runs two replicas of bookings behind two of the gateway, which keep the default limits."""
    folder = tmp_path_factory.mktemp("replicated")
    with (
        cloned(postgres) as database,
        System(database, folder, replicas=2, gateways=2, GATEWAY_RATE_LIMITS="on") as running,
    ):
        yield running


@pytest.fixture
def client(system: System) -> Iterator[httpx.Client]:
    """Returns a client of that system."""
    with open_client(system.url) as opened:
        yield opened


@pytest.fixture
def start(database: Database, tmp_path: Path) -> Iterator[Start]:
    """Returns a function that starts a system for this test alone."""
    with contextlib.ExitStack() as stack:

        def start(**settings: object) -> System:
            return stack.enter_context(System(database, tmp_path, **settings))  # type: ignore[arg-type]

        yield start
