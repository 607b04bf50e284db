"""Runs of Boxoffice in other processes, each on ports of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.postgres.server import EmbeddedPostgres
from tests.deploy.runs import Run, Start

PROJECT = Path(__file__).parents[2]
PORTS = ("PORT", "EVENTS_PORT", "BOOKINGS_PORT", "ACCOUNTS_PORT", "MAILBOX_PORT")


@pytest.fixture
def project() -> Path:
    """Returns the folder of the checkout."""
    return PROJECT


@pytest.fixture
def ports() -> dict[str, str]:
    """Returns free ports for the processes of a run."""
    with contextlib.ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        return {name: str(s.getsockname()[1]) for name, s in zip(PORTS, free, strict=True)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Returns the folder of PostgreSQL's data, which one run after another uses."""
    directory = tmp_path_factory.mktemp("data")
    yield directory
    EmbeddedPostgres(directory).remove()


@pytest.fixture
def hangups() -> Iterator[None]:
    """Lets children end on SIGHUP: under nohup they would inherit that it is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def start(data: Path, ports: dict[str, str], hangups: None) -> Iterator[Start]:
    """Starts `python -m` with the arguments and the settings given; the end of the test ends it."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str | Path, **settings: str) -> Run:
            run = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=PROJECT,
                env={**os.environ, **ports, "BOXOFFICE_DATA_DIRECTORY": str(data), **settings},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.enter_context(run)
            stack.callback(run.kill)
            return run

        yield start
