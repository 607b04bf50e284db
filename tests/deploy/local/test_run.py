"""`make run` with the real services, in an empty folder, from start to end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psycopg

from deploy.local.local_http import open_url
from deploy.local.postgres.server import temporary_postgres
from tests.deploy.runs import READY, SECONDS, Run, Start, alive, processes, read_until

RUN = "deploy.local"


def stop(run: Run) -> None:
    """Ends the run as Ctrl-C does and checks that nothing is left."""
    started = processes(run)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=SECONDS)
    assert run.returncode == 0
    assert alive(started) == []


def first_event(ports: dict[str, str]) -> dict[str, Any]:
    """Returns an event of the sample data."""
    with open_url(f"http://127.0.0.1:{ports['PORT']}/events", timeout_seconds=SECONDS) as answer:
        events: list[dict[str, Any]] = json.load(answer)
    return events[0]


def test_starts_serves_and_keeps_its_data(start: Start, ports: dict[str, str]) -> None:
    """The first start could fail, the second one lose the data, or a command beside it do harm."""
    run = start(RUN)
    read_until(run, READY)
    before = first_event(ports)
    stop(run)
    run = start(RUN)
    read_until(run, READY)
    assert first_event(ports)["id"] == before["id"]
    run_commands_beside(run, start, ports)
    stop(run)


def run_commands_beside(run: Run, start: Start, ports: dict[str, str]) -> None:
    """Fails if a command changes data that is in use, or does not work beside a run."""
    in_use = f"Boxoffice already runs from this folder, as process {run.pid}"
    for command, expected, code in (
        (("deploy.operator", "seed"), "The sample accounts and events are in place", 0),
        (("deploy.operator", "seed"), "organizer@example.com", 0),
        (("deploy.operator", "make-admin", "ada@example.com"), "is ADMIN, and was USER", 0),
        (("deploy.local.migrate",), in_use, 1),
        (("deploy.local.reset",), in_use, 1),
        ((RUN,), f"Boxoffice: cannot listen on port {ports['PORT']} of 127.0.0.1: ", 1),
    ):
        second = start(*command, FORCE="1")
        said, _ = second.communicate(timeout=SECONDS)
        assert expected in said
        assert second.returncode == code


def test_commands_without_a_run(start: Start, tmp_path: Path) -> None:
    """A command could need a run, or leave one behind."""
    backup = tmp_path / "backup"
    for command, expected in (
        (("deploy.local.migrate",), "The schemas are up to date: accounts, events, bookings"),
        (("deploy.operator", "backup", backup), f"{backup} has everything"),
        (("deploy.local.reset",), "The development database is gone"),
        (("deploy.operator", "restore", backup), "The backup is restored; 0 differences"),
        (("deploy.local.migrate",), "The schemas are up to date: accounts, events, bookings"),
    ):
        run = start(*command, FORCE="1")
        said, _ = run.communicate(timeout=SECONDS)
        assert expected in said
        assert run.returncode == 0


def test_one_server_in_production(start: Start, ports: dict[str, str]) -> None:
    """`boxoffice up` could ignore BOXOFFICE_DATABASE_URL, be open to all, or have no admin."""
    with temporary_postgres() as server:
        own = server.create_database("own")
        run = start("deploy.operator", "up", "--samples", BOXOFFICE_DATABASE_URL=own)
        said = "".join(read_until(run, READY))
        assert "boxoffice make-admin you@example.com --create" in said
        assert not any(child.name() == "postgres" for child in processes(run))
        with psycopg.connect(own) as connection:
            names = connection.execute("SELECT name FROM events.events").fetchall()
        event = first_event(ports)
        assert (event["name"],) in names
        assert reserve(ports, event["id"]) == 401
        assert reserve(ports, event["id"], token=first_admin(ports, own)) == 201
        stop(run)


def first_admin(ports: dict[str, str], dsn: str) -> str:
    """Makes the first admin; returns the access token."""
    credentials = {"email": "root@example.com", "password": "long and uncommon"}
    subprocess.run(
        [sys.executable, "-m", "deploy.operator", "make-admin", credentials["email"], "--create"],
        env={**os.environ, "BOXOFFICE_DATABASE_URL": dsn},
        input=credentials["password"],
        text=True,
        timeout=SECONDS,
        check=True,
    )
    url = f"http://127.0.0.1:{ports['PORT']}/auth/login"
    token: str = httpx.post(url, json=credentials, timeout=SECONDS).json()["access_token"]
    return token


def reserve(ports: dict[str, str], event_id: int, token: str = "") -> int:
    """Asks for a seat; returns the status."""
    url = f"http://127.0.0.1:{ports['PORT']}/api/bookings/reserve"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"event_id": event_id}
    return httpx.post(url, json=body, headers=headers, timeout=SECONDS).status_code


def test_a_database_that_cannot_be_reached_is_reported(start: Start) -> None:
    """An unreachable database could end in a traceback."""
    run = start(RUN, BOXOFFICE_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    said, _ = run.communicate(timeout=SECONDS)
    assert said.startswith("Boxoffice: the database could not be migrated: ")
    assert "Traceback" not in said
    assert run.returncode == 1
