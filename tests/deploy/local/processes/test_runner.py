"""The runner starts everything, says so, and leaves nothing behind however it ends."""

import json
import os
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from deploy.local.processes.child_process import GRACE_SECONDS
from deploy.local.processes.runner import environment
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
    """A newcomer sees where to knock and what to type; Ctrl-C leaves nothing running."""
    run = start_stand_ins()
    words = "".join(read_until(run, READY))
    started = processes(run)
    run.send_signal(number)
    run.communicate(timeout=SECONDS)
    assert f"Boxoffice is ready: http://localhost:{ports['PORT']}/" in words
    assert f"curl -i http://127.0.0.1:{ports['PORT']}/api/bookings/reserve" in words
    assert f"127.0.0.1:{ports['BOOKINGS_PORT']} boxoffice.bookings.v1" in words
    assert '"event_id": 7' in words
    assert "Open access is on" in words
    assert run.returncode == 0
    assert len(started) > 4
    assert alive(started) == []


def test_stops_the_gateway_before_the_services(start_stand_ins: Start) -> None:
    """A request that is in flight in the gateway still finds its services."""
    run = start_stand_ins()
    read_until(run, READY)
    run.send_signal(signal.SIGINT)
    rest, _ = run.communicate(timeout=SECONDS)
    stopped = [line for line in rest.splitlines() if '"stopped"' in line]
    assert ["pid" in json.loads(line) for line in stopped] == [False, True, True, True]


def test_a_service_that_ends_ends_the_run(start_stand_ins: Start) -> None:
    """Half a Boxoffice is worse than none; the message says which half is missing."""
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
    """The same goes for PostgreSQL, whose last words are passed on."""
    run = start_stand_ins()
    read_until(run, READY)
    postmaster = next(child for child in processes(run) if "postgres" in child.name())
    postmaster.send_signal(signal.SIGINT)
    rest, _ = run.communicate(timeout=SECONDS)
    assert "PostgreSQL ended by itself" in rest
    assert "fast shutdown" in rest
    assert run.returncode == 1


def test_a_second_signal_forces_the_end(start_stand_ins: Start) -> None:
    """Who presses Ctrl-C twice does not wait for a process that will not end."""
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
    """Not even `kill -9` leaves a process behind, and the next run starts."""
    run = start_stand_ins()
    read_until(run, READY)
    started = processes(run)
    run.kill()
    assert alive(started, within_seconds=SECONDS) == []
    read_until(start_stand_ins(), READY)


def test_goes_on_when_nobody_reads(start_stand_ins: Start) -> None:
    """`make run | head` closes the pipe early; the end is still an orderly one."""
    run = start_stand_ins()
    read_until(run, READY)
    started = processes(run)
    assert run.stdout is not None
    run.stdout.close()
    run.send_signal(signal.SIGINT)
    assert run.wait(SECONDS) == 0
    assert alive(started) == []


def test_starts_again_when_a_file_changes(start: Start, tmp_path: Path) -> None:
    """With reloading on, saving a file is enough, and a broken one waits to be mended."""
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


def test_the_services_do_not_see_the_owners_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service holds the key to its own schema, never the one to all of them."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", "dbname=owner")
    monkeypatch.setenv("DATABASE_URL", "dbname=owner")
    dsns = {"accounts": "dbname=a", "events": "dbname=e", "bookings": "dbname=b"}
    found = environment(RunSettings.load(), dsns, "key", "smtp://localhost")
    assert "dbname=owner" not in found.values()
    for service, dsn in dsns.items():
        assert found[f"{service.upper()}_DATABASE_URL"] == dsn


def test_pages_of_this_machine_may_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page in development is served at another port; what is set by hand wins."""
    dsns = {"accounts": "dbname=a", "events": "dbname=e", "bookings": "dbname=b"}
    found = environment(RunSettings.load(), dsns, "key", "smtp://localhost")
    origins = Settings.model_validate({"cors_origins": found["GATEWAY_CORS_ORIGINS"]}).cors_origins
    assert {"http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"} <= set(origins)
    monkeypatch.setenv("GATEWAY_CORS_ORIGINS", "https://shop.example")
    found = environment(RunSettings.load(), dsns, "key", "smtp://localhost")
    assert found["GATEWAY_CORS_ORIGINS"] == "https://shop.example"


def test_the_start_page_leads_to_the_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to it where it shows the mail, and none where mail is sent."""
    dsns = {"accounts": "dbname=a", "events": "dbname=e", "bookings": "dbname=b"}
    monkeypatch.setenv("MAILBOX_PORT", "8026")
    found = environment(RunSettings.load(), dsns, "key", "smtp://localhost")
    assert found["GATEWAY_MAILBOX_URL"] == "http://localhost:8026"
    monkeypatch.setenv("ACCOUNTS_SMTP_URL", "smtp://mail.example")
    found = environment(RunSettings.load(), dsns, "key", "smtp://mail.example")
    assert found["GATEWAY_MAILBOX_URL"] == ""
