"""The command `doctor`: what keeps this server from running Boxoffice, a line for each check."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from deploy.local.database import NAME
from deploy.local.errors import PostgresError
from deploy.local.postgres.server import EmbeddedPostgres
from deploy.local.production import chosen_settings
from deploy.local.settings import RunSettings
from deploy.operator.backups import programs
from deploy.operator.doctor.database import check_database
from deploy.operator.doctor.finding import Finding, State, error, ok, warning
from deploy.operator.doctor.machine import check_machine
from deploy.operator.errors import BackupError
from deploy.operator.owner import is_running
from deploy.operator.status.processes import serves


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the data is kept, as given to `boxoffice up`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON instead of lines.")
def doctor(data: Path | None, *, as_json: bool) -> None:
    """Check whether this server can run Boxoffice, and what an operator should mend.

    Looks at versions, rights, disk, secrets, clock, ports, programs, database and migrations, and
    changes nothing. The exit status is 1 if Boxoffice cannot run like this.

    Needs nothing that runs.
    """
    found = list(_findings(chosen_settings(data)))
    if as_json:
        rows = [{"check": one.check, "state": one.state.value, "text": one.text} for one in found]
        click.echo(json.dumps(rows, indent=2))
    else:
        for one in found:
            click.echo(f"{one.state.value:8}{one.check:11}{one.text}")
    sys.exit(any(one.state is State.ERROR for one in found))


def _findings(settings: RunSettings) -> Iterator[Finding]:
    yield from check_machine(settings, is_running=serves(settings.gateway_url))
    yield _programs()
    if settings.database_url:
        yield from check_database(settings.database_url, pooled=settings.database_pooled)
    elif not (settings.data_directory / "postgres").is_dir():
        yield ok("database", "the embedded PostgreSQL is made at the first start")
    else:
        yield from _embedded(settings)


def _embedded(settings: RunSettings) -> Iterator[Finding]:
    try:
        server = EmbeddedPostgres(settings.data_directory, binaries=settings.postgres_bin)
    except PostgresError as refused:
        yield error("rights", str(refused))
        return
    if is_running(server):
        yield from check_database(server.dsn(NAME))
    else:
        yield ok("database", "the embedded PostgreSQL does not run")


def _programs() -> Finding:
    try:
        return ok("programs", f"backups are made by {programs.find('pg_dump')}")
    except BackupError as missing:
        return warning("programs", str(missing))
