"""Brings the database to the newest schema and stops: `python -m deploy.local.migrate`."""

import sys

from deploy.local.command import command
from deploy.local.database import open_database
from deploy.local.settings import RunSettings


def main() -> None:
    """Migrates the database that `make run` would use."""
    with open_database(RunSettings.load()) as database:
        services = database.migrate()
    print(f"The schemas are up to date: {', '.join(services)}")


if __name__ == "__main__":
    sys.exit(command(main))
