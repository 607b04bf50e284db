"""The command that runs all of Boxoffice on one server, in production."""

import asyncio
import sys
from pathlib import Path

import click

from deploy.local.command import command
from deploy.local.database import open_database
from deploy.local.log_printer import LogPrinter
from deploy.local.processes.port_check import check_ports
from deploy.local.processes.runner import Runner
from deploy.local.production import Production, production_settings


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the data and the secrets are kept, in place of BOXOFFICE_DATA_DIRECTORY.",
)
@click.option("--samples", is_flag=True, help="Load sample events and a cinema, what is missing.")
def up(data: Path | None, *, samples: bool) -> None:
    """Run all of Boxoffice on this server, in production.

    PostgreSQL comes along with `pip install boxoffice-server[run]`, and keeps its data in
    /var/lib/boxoffice for root, in ~/.local/share/boxoffice for others. BOXOFFICE_DATABASE_URL
    names one of your own instead. Secrets are made at the first start and kept beside the data.

    Ctrl-C or SIGTERM stops everything; the data stays.

    Needs nothing that runs, except a database of your own.
    """
    sys.exit(command(lambda: _run(data, with_samples=samples)))


def _run(data: Path | None, *, with_samples: bool) -> None:
    settings = production_settings(data)
    check_ports(settings, has_mailbox=False)
    mode = Production(settings, with_samples=with_samples)
    printer = LogPrinter.for_stream(sys.stdout)
    with open_database(settings) as database:
        asyncio.run(Runner(settings, database, printer, mode).run())
