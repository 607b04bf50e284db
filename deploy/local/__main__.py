"""Starts the development run: `python -m deploy.local`, or `make run`."""

import asyncio
import sys

from deploy.local.command import command
from deploy.local.database import open_database
from deploy.local.logs import LogPrinter
from deploy.local.ports import check_ports
from deploy.local.runner import Runner
from deploy.local.settings import RunSettings


def main() -> None:
    """Runs Boxoffice until asked to stop."""
    settings = RunSettings.load()
    check_ports(settings)
    with open_database(settings) as database:
        runner = Runner(settings, database, LogPrinter.for_stream(sys.stdout))
        asyncio.run(runner.run())


if __name__ == "__main__":
    sys.exit(command(main))
