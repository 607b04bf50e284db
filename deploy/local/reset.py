"""Removes the embedded PostgreSQL with all its data: `python -m deploy.local.reset`."""

import os
import sys

from deploy.local.command import command
from deploy.local.database import data_directory
from deploy.local.errors import NotConfirmedError
from deploy.local.postgres.server import EmbeddedPostgres
from deploy.local.settings import RunSettings


def main() -> None:
    """Removes the development database, once that is confirmed."""
    directory = data_directory(RunSettings.load())
    if os.environ.get("FORCE") != "1":
        _confirm(f"This deletes all data of the development database in {directory}.")
    EmbeddedPostgres(directory).remove()
    print("The development database is gone; the next run makes a new one.")


def _confirm(what: str) -> None:
    """Asks at the terminal. Raises NotConfirmedError unless the answer is yes."""
    if not sys.stdin.isatty():
        raise NotConfirmedError(f"{what} There is no terminal to ask at: FORCE=1 means yes")
    print(what)
    if input("Type yes to go on: ").strip().lower() != "yes":
        raise NotConfirmedError("nothing was deleted")


if __name__ == "__main__":
    sys.exit(command(main))
