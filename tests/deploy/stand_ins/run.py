"""Runs stand-ins in place of the services, in the folder given, on a real PostgreSQL."""

import asyncio
import sys
from pathlib import Path

from deploy.local.command import command
from deploy.local.database import Database, open_database
from deploy.local.development import Development
from deploy.local.log_printer import LogPrinter
from deploy.local.processes.runner import Runner
from deploy.local.settings import RunSettings

SERVICES = ("accounts", "events", "bookings")
MODULES = {**dict.fromkeys(SERVICES, "service"), "gateway": "gateway"}


class Unmigrated(Database):
    """A database without schemas, which stand-ins have no use for."""

    def migrate(self) -> dict[str, str]:
        """Names the databases and does nothing to them."""
        return {service: f"dbname={service}" for service in SERVICES}


class Unknown(Development):
    """A development run that loads its sample data as an admin whom stand-ins do not know."""

    async def admin_authorization(self, database: Database) -> str:
        """Names the admin."""
        return "Bearer admin"


def main() -> None:
    """Runs until asked to stop."""
    settings = RunSettings.load()
    with open_database(settings) as opened:
        database = Unmigrated("", settings.data_directory, opened.server)
        printer = LogPrinter.for_stream(sys.stdout)
        mode = Unknown(settings, printer, folder=Path(sys.argv[1]))
        asyncio.run(Runner(settings, database, printer, mode, modules=MODULES).run())


if __name__ == "__main__":
    sys.exit(command(main))
