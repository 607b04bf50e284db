"""The runner starts everything, says so, and leaves nothing behind however it ends."""

import json
import os
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from deploy.local.development import Development
from deploy.local.log_printer import LogPrinter
from deploy.local.processes.child_process import GRACE_SECONDS
from deploy.local.processes.environment import environment
from deploy.local.settings import RunSettings
from gateway.settings import Settings
from tests.deploy.runs import READY, SECONDS, Start, alive, processes, read_until

STAND_INS = Path(__file__).parents[2] / "stand_ins"
RUN = "tests.deploy.stand_ins.run"


@pytest.fixture
def start_stand_ins(start: Start) -> Start:
    """Starts a run of stand-ins with the settings given."""
    return partial(start, RUN, STAND_INS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_announces_itself_and_stops_when_asked(
    start_stand_ins: Start, ports: dict[str, str], number: signal.Signals
) -> None:
    """A newcomer could see no address, or Ctrl-C leave processes running or cut off a request."""
    run = start_stand_ins()
    words = "".join(read_until(run, READY))
    started = processes(run)
    run.send_signal(number)
    rest, _ = run.communicate(timeout=SECONDS)
    assert f"Boxoffice is ready: http://localhost:{ports['PORT']}/" in words
    assert f"curl -i http://127.0.0.1:{ports['PORT']}/api/bookings/reserve" in words
    assert f"127.0.0.1:{ports['BOOKINGS_PORT']} boxoffice.bookings.v1" in words
    assert '"event_id": 7' in words
    assert "Open access is on" in words
    assert run.returncode == 0
    assert len(started) > 4
    assert alive(started) == []
    stopped = [line for line in rest.splitlines() if '"stopped"' in line]
    is_service = ["pid" in json.loads(line) for line in stopped]
    assert is_service == [False, True, True, True], "a request in flight could lose its services"


def test_a_service_that_ends_ends_the_run(start_stand_ins: Start) -> None:
    """A run could go on without one of its services."""
    run = start_stand_ins()
    serving = read_until(run, READY)
    service = next(json.loads(line) for line in serving if '"serving"' in line)
    started = processes(run)
    os.kill(service["pid"], signal.SIGKILL)
    rest, _ = run.communicate(timeout=SECONDS)
    assert "ended by itself, with exit code -9" in rest
    assert run.returncode == 1
    assert alive(started) == []


def test_a_database_that_ends_ends_the_run(start_stand_ins: Start) -> None:
    """A run could go on without its database, or hide why it ended."""
    run = start_stand_ins()
    read_until(run, READY)
    postmaster = next(child for child in processes(run) if "postgres" in child.name())
    postmaster.send_signal(signal.SIGINT)
    rest, _ = run.communicate(timeout=SECONDS)
    assert "PostgreSQL ended by itself" in rest
    assert "fast shutdown" in rest
    assert run.returncode == 1


def test_a_second_signal_forces_the_end(start_stand_ins: Start) -> None:
    """A process that does not end could hold up the second Ctrl-C."""
    run = start_stand_ins(STUBBORN="1")
    read_until(run, READY)
    started = processes(run)
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    read_until(run, "Once more to stop at once")
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=SECONDS)
    assert time.monotonic() - began < GRACE_SECONDS
    assert run.returncode == 0
    assert alive(started) == []


def test_a_killed_run_takes_everything_along(start_stand_ins: Start) -> None:
    """`kill -9` could leave processes that block the next run."""
    run = start_stand_ins()
    read_until(run, READY)
    started = processes(run)
    run.kill()
    assert alive(started, within_seconds=SECONDS) == []
    read_until(start_stand_ins(), READY)


def test_goes_on_when_nobody_reads(start_stand_ins: Start) -> None:
    """A closed pipe, as of `make run | head`, could end the run without order."""
    run = start_stand_ins()
    read_until(run, READY)
    started = processes(run)
    assert run.stdout is not None
    run.stdout.close()
    run.send_signal(signal.SIGINT)
    assert run.wait(SECONDS) == 0
    assert alive(started) == []


def test_starts_again_when_a_file_changes(start: Start, tmp_path: Path) -> None:
    """A broken file could end a run with reloading."""
    code = tmp_path / "code"
    service = shutil.copytree(STAND_INS, code / "services") / "service.py"
    shutil.copy(STAND_INS / "gateway.py", code)
    (code / "service.py").symlink_to(service)
    run = start(RUN, code, BOXOFFICE_RELOAD="1")
    read_until(run, READY)
    right = service.read_text()
    service.write_text("1/0")
    read_until(run, "Waiting for a change")
    service.write_text(right)
    read_until(run, '"serving"')


DSNS = {"accounts": "dbname=a", "events": "dbname=e", "bookings": "dbname=b"}


def of_a_run() -> dict[str, str]:
    """Returns the environment of the processes of a development run."""
    settings = RunSettings.load()
    mode = Development(settings, LogPrinter.for_stream(sys.stdout))
    return environment(settings, mode, DSNS, settings.smtp_url)


def test_the_services_do_not_see_the_owners_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service could get the rights of the database's owner."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", "dbname=owner")
    monkeypatch.setenv("DATABASE_URL", "dbname=owner")
    found = of_a_run()
    assert "dbname=owner" not in found.values()
    for service, dsn in DSNS.items():
        assert found[f"{service.upper()}_DATABASE_URL"] == dsn


def test_pages_of_this_machine_may_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page in development could be refused, or a setting be overridden."""
    found = of_a_run()
    origins = Settings.model_validate({"cors_origins": found["GATEWAY_CORS_ORIGINS"]}).cors_origins
    assert {"http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"} <= set(origins)
    monkeypatch.setenv("GATEWAY_CORS_ORIGINS", "https://shop.example")
    found = of_a_run()
    assert found["GATEWAY_CORS_ORIGINS"] == "https://shop.example"


def test_the_start_page_leads_to_the_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start page could link to a mailbox that is not there."""
    monkeypatch.setenv("MAILBOX_PORT", "8026")
    found = of_a_run()
    assert found["GATEWAY_MAILBOX_URL"] == "http://localhost:8026"
    monkeypatch.setenv("ACCOUNTS_SMTP_URL", "smtp://mail.example")
    found = of_a_run()
    assert found["GATEWAY_MAILBOX_URL"] == ""
