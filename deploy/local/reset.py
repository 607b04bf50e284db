"""Removes the embedded PostgreSQL with all its data: `python -m deploy.local.reset`."""

import sys

from deploy.local.command import command
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.settings import RunSettings


def main() -> None:
    """Removes the development database."""
    EmbeddedPostgres(RunSettings.load().data_directory).remove()
    print("The development database is gone; the next run makes a new one.")


if __name__ == "__main__":
    sys.exit(command(main))
