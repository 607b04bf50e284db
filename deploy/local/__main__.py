"""Starts the development run: `python -m deploy.local`, or `make run`."""

import asyncio
import os
import sys

from deploy.local import env_file
from deploy.local.command import command
from deploy.local.database import open_database
from deploy.local.development import Development
from deploy.local.foreign_settings import hints
from deploy.local.log_printer import LogPrinter
from deploy.local.processes.port_check import check_ports
from deploy.local.processes.runner import Runner
from deploy.local.settings import ENV_FILE, RunSettings, known_names


def main() -> None:
    """Runs Boxoffice until asked to stop."""
    settings = RunSettings.load()
    check_ports(settings)
    printer = LogPrinter.for_stream(sys.stdout)
    for hint in hints(os.environ, env_file.names(ENV_FILE) - known_names()):
        printer.note(hint)
    with open_database(settings) as database:
        runner = Runner(settings, database, printer, Development(settings, printer))
        asyncio.run(runner.run())


if __name__ == "__main__":
    sys.exit(command(main))
