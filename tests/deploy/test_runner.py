"""The runner starts everything, says so, and leaves nothing behind however it ends."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.children import GRACE_SECONDS
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.runner import environment
from deploy.local.settings import RunSettings

SECONDS = 20
STAND_INS = Path(__file__).parent / "stand_ins"
PORTS = ("PORT", "EVENTS_PORT", "BOOKINGS_PORT")

Run = subprocess.Popen[str]
Start = Callable[..., Run]


@pytest.fixture
def ports() -> dict[str, str]:
    """Gives free ports for the processes of a run."""
    with contextlib.ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        return {name: str(s.getsockname()[1]) for name, s in zip(PORTS, free, strict=True)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Gives the folder of PostgreSQL's data, which one run after another uses."""
    directory = tmp_path_factory.mktemp("data")
    yield directory
    EmbeddedPostgres(directory).remove()


@pytest.fixture
def start(data: Path, project: Path, ports: dict[str, str]) -> Iterator[Start]:
    """Starts runs of stand-ins with the settings given."""
    with contextlib.ExitStack() as stack:

        def start(folder: Path = STAND_INS, **settings: str) -> Run:
            run = subprocess.Popen(
                [sys.executable, "-m", "tests.deploy.stand_ins.run", folder],
                cwd=project,
                env={**os.environ, **ports, "BOXOFFICE_DATA_DIRECTORY": str(data), **settings},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.enter_context(run)
            stack.callback(run.kill)
            return run

        yield start


def read_until(run: Run, text: str) -> list[str]:
    """Reads the run's output up to the line that has `text`."""
    assert run.stdout is not None
    lines = []
    for line in run.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"the run ended without {text!r}:\n{''.join(lines)}")


def processes(run: Run) -> list[psutil.Process]:
    """Lists the processes that the run started, PostgreSQL and its own included."""
    return psutil.Process(run.pid).children(recursive=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_announces_itself_and_stops_when_asked(
    start: Start, ports: dict[str, str], number: signal.Signals
) -> None:
    """A newcomer sees where to knock and what to type; Ctrl-C leaves nothing running."""
    run = start()
    words = "".join(read_until(run, "Ctrl-C stops everything"))
    started = processes(run)
    run.send_signal(number)
    _, _ = run.communicate(timeout=SECONDS)
    assert f"curl -i http://127.0.0.1:{ports['PORT']}/api/bookings/reserve" in words
    assert f"127.0.0.1:{ports['BOOKINGS_PORT']} boxoffice.bookings.v1" in words
    assert '"event_id": 7' in words
    assert "Open access is on" in words
    assert run.returncode == 0
    assert len(started) > 3
    assert psutil.wait_procs(started, timeout=0)[1] == []


def test_stops_the_gateway_before_the_services(start: Start) -> None:
    """A request that is in flight in the gateway still finds its services."""
    run = start()
    read_until(run, "Ctrl-C stops everything")
    run.send_signal(signal.SIGINT)
    rest, _ = run.communicate(timeout=SECONDS)
    stopped = [line for line in rest.splitlines() if '"stopped"' in line]
    assert ["pid" in json.loads(line) for line in stopped] == [False, True, True]


def test_a_service_that_ends_ends_the_run(start: Start) -> None:
    """Half a Boxoffice is worse than none; the message says which half is missing."""
    run = start()
    serving = read_until(run, "Ctrl-C stops everything")
    service = next(json.loads(line) for line in serving if '"serving"' in line)
    started = processes(run)
    os.kill(service["pid"], signal.SIGKILL)
    rest, _ = run.communicate(timeout=SECONDS)
    assert "ended by itself, with exit code -9" in rest
    assert run.returncode == 1
    assert psutil.wait_procs(started, timeout=0)[1] == []


def test_a_database_that_ends_ends_the_run(start: Start) -> None:
    """The same goes for PostgreSQL, whose last words are passed on."""
    run = start()
    read_until(run, "Ctrl-C stops everything")
    postmaster = next(child for child in processes(run) if "postgres" in child.name())
    postmaster.send_signal(signal.SIGINT)
    rest, _ = run.communicate(timeout=SECONDS)
    assert "PostgreSQL ended by itself" in rest
    assert "fast shutdown" in rest
    assert run.returncode == 1


def test_a_second_signal_forces_the_end(start: Start) -> None:
    """Who presses Ctrl-C twice does not wait for a process that will not end."""
    run = start(STUBBORN="1")
    read_until(run, "Ctrl-C stops everything")
    started = processes(run)
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    read_until(run, "Once more to stop at once")
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=SECONDS)
    assert time.monotonic() - began < GRACE_SECONDS
    assert run.returncode == 0
    assert psutil.wait_procs(started, timeout=0)[1] == []


def test_a_killed_run_takes_everything_along(start: Start) -> None:
    """Not even `kill -9` leaves a process behind, and the next run starts."""
    run = start()
    read_until(run, "Ctrl-C stops everything")
    started = processes(run)
    run.kill()
    assert psutil.wait_procs(started, timeout=SECONDS)[1] == []
    read_until(start(), "Ctrl-C stops everything")


def test_goes_on_when_nobody_reads(start: Start) -> None:
    """`make run | head` closes the pipe early; the end is still an orderly one."""
    run = start()
    read_until(run, "Ctrl-C stops everything")
    started = processes(run)
    assert run.stdout is not None
    run.stdout.close()
    run.send_signal(signal.SIGINT)
    assert run.wait(SECONDS) == 0
    assert psutil.wait_procs(started, timeout=0)[1] == []


def test_starts_again_when_a_file_changes(start: Start, tmp_path: Path) -> None:
    """With reloading on, saving a file is enough, and a broken one waits to be mended."""
    code = tmp_path / "code"
    service = shutil.copytree(STAND_INS, code / "services") / "service.py"
    shutil.copy(STAND_INS / "gateway.py", code)
    (code / "service.py").symlink_to(service)
    run = start(code, BOXOFFICE_RELOAD="1")
    read_until(run, "Ctrl-C stops everything")
    right = service.read_text()
    service.write_text("1/0")
    read_until(run, "Waiting for a change")
    service.write_text(right)
    read_until(run, '"serving"')


def test_the_services_do_not_see_the_owners_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service holds the key to its own schema, never the one to all of them."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", "dbname=owner")
    monkeypatch.setenv("DATABASE_URL", "dbname=owner")
    dsns = {"events": "dbname=e", "bookings": "dbname=b"}
    found = environment(RunSettings.load(), dsns, "key")
    assert "dbname=owner" not in found.values()
    assert (found["EVENTS_DATABASE_URL"], found["BOOKINGS_DATABASE_URL"]) == (
        "dbname=e",
        "dbname=b",
    )
