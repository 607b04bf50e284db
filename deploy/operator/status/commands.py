"""The command `status`: all processes and everything that waits, on one screen or as JSON."""

import asyncio
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version

import click
import psycopg

from deploy.local.settings import RunSettings
from deploy.operator.errors import OperatorError
from deploy.operator.owner import owner_database
from deploy.operator.status import figures, processes
from deploy.operator.status.figures import BACKLOGS, Figures
from deploy.operator.status.processes import Process
from services.kit.database.migrations import ChangedMigrationError


@dataclass(frozen=True, slots=True)
class Status:
    """All that is known; `figures` is None if the database does not answer, as `problem` tells."""

    version: str
    python: str
    processes: list[Process]
    figures: Figures | None
    problem: str

    @property
    def is_well(self) -> bool:
        """Whether all processes serve, the schemas are new, and no event is frozen."""
        if self.figures is None or not all(process.is_well for process in self.processes):
            return False
        return not (self.figures.frozen or self.figures.pending_migrations)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as one object of JSON.")
def status(*, as_json: bool) -> None:
    """Show what runs, how far behind it is, and what waits.

    The exit status is 1 if a process does not serve, a migration is missing or an event is frozen.

    Needs nothing: what does not answer is shown as such. Services are looked for where the gateway
    does, at GATEWAY_EVENTS_TARGET and so on, all replicas of a name.
    """
    found = _look(RunSettings.load())
    if as_json:
        click.echo(json.dumps({**asdict(found), "is_well": found.is_well}, indent=2))
    else:
        click.echo("\n".join(_lines(found)))
    sys.exit(0 if found.is_well else 1)


def _look(settings: RunSettings) -> Status:
    running = asyncio.run(processes.look(settings))
    found, problem = None, ""
    try:
        with owner_database(may_start=False) as dsn:
            found = figures.read(dsn)
    except (OperatorError, ChangedMigrationError, psycopg.Error) as error:
        problem = str(error).partition("\n")[0]
    return Status(version("boxoffice-server"), platform.python_version(), running, found, problem)


def _lines(found: Status) -> Iterator[str]:
    known = found.figures
    postgres = f"PostgreSQL {known.postgres}" if known else "no PostgreSQL"
    yield f"Boxoffice {found.version}, {postgres}, Python {found.python}"
    yield ""
    for process in found.processes:
        own = ", ".join(f"{name} {value:,.0f}" for name, value in process.figures.items())
        yield f"  {process.name:10}{process.address:32}{process.state}" + (own and f" ({own})")
    yield ""
    if known is None:
        yield f"  The database: {found.problem}"
    else:
        yield from _figures(known)


def _figures(known: Figures) -> Iterator[str]:
    sessions = ", ".join(f"{name} {count}" for name, count in known.sessions.items())
    yield _line("sessions of PostgreSQL", sessions or "none")
    yield _line("migrations to run", ", ".join(known.pending_migrations) or "none")
    for name, title in BACKLOGS.items():
        backlog = known.backlogs[name]
        since = f", the first for {_duration(backlog.seconds)}" if backlog.count else ""
        yield _line(title, f"{backlog.count:,}{since}")
    frozen = ", ".join(f"{event} ({why.lower()})" for event, why in known.frozen.items())
    yield _line("frozen events", frozen or "none")
    yield _line("people in waiting lists", f"{known.waiting:,}")
    for queue in known.queues:
        in_it = f"{queue.waiting:,} waiting, {queue.admitted:,} admitted"
        yield _line(f"queue of event {queue.event_id}", in_it)


def _line(title: str, value: str) -> str:
    return f"  {title:50}{value}"


def _duration(seconds: float) -> str:
    """Returns a time as people read it: 90 s, 12 min, 5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:,.0f} h"
