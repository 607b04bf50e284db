"""`make run` with the real services, in an empty folder, from start to end."""

import json
import signal
from typing import Any

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
    """The first start could fail, or the second one lose the data."""
    run = start(RUN)
    read_until(run, READY)
    before = first_event(ports)
    stop(run)
    run = start(RUN)
    read_until(run, READY)
    assert first_event(ports)["id"] == before["id"]
    stop(run)


def test_commands_beside_a_run(start: Start, ports: dict[str, str]) -> None:
    """A command could change data that is in use, or fail beside a run."""
    run = start(RUN)
    read_until(run, READY)
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
    stop(run)


def test_migrates_and_resets_without_a_run(start: Start) -> None:
    """`make migrate` or `make reset` could need a run, or leave one behind."""
    for command, expected in (
        ("deploy.local.migrate", "The schemas are up to date: accounts, events, bookings"),
        ("deploy.local.reset", "The development database is gone"),
        ("deploy.local.migrate", "The schemas are up to date: accounts, events, bookings"),
    ):
        run = start(command, FORCE="1")
        said, _ = run.communicate(timeout=SECONDS)
        assert expected in said
        assert run.returncode == 0


def test_uses_a_postgresql_of_ones_own(start: Start, ports: dict[str, str]) -> None:
    """BOXOFFICE_DATABASE_URL could be ignored."""
    with temporary_postgres() as server:
        own = server.create_database("own")
        run = start(RUN, BOXOFFICE_DATABASE_URL=own)
        read_until(run, READY)
        assert not any(child.name() == "postgres" for child in processes(run))
        with psycopg.connect(own) as connection:
            names = connection.execute("SELECT name FROM events.events").fetchall()
        assert (first_event(ports)["name"],) in names
        stop(run)


def test_a_database_that_cannot_be_reached_is_reported(start: Start) -> None:
    """An unreachable database could end in a traceback."""
    run = start(RUN, BOXOFFICE_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    said, _ = run.communicate(timeout=SECONDS)
    assert said.startswith("Boxoffice: the database could not be migrated: ")
    assert "Traceback" not in said
    assert run.returncode == 1
