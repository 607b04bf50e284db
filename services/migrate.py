"""Migrates every service's schema with the owner's rights: `python -m services.migrate`."""

import os
from collections.abc import Mapping
from pathlib import Path

from psycopg.conninfo import make_conninfo

from services.kit.migrations import migrate

SERVICES = ("accounts", "events", "bookings")
PASSWORD = "{}_DATABASE_PASSWORD"  # noqa: S105 - where one is found


def migrate_all(owner_dsn: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """Brings all schemas to their newest form and returns each service's own DSN.

    `passwords` has one for each service; its role `boxoffice_<service>` gets it.
    """
    return {service: _migrate(owner_dsn, service, passwords[service]) for service in SERVICES}


def _migrate(owner_dsn: str, service: str, password: str) -> str:
    role = f"boxoffice_{service}"
    directory = Path(__file__).parent / service / "migrations"
    migrate(owner_dsn, schema=service, directory=directory, role=role, password=password)
    return make_conninfo(owner_dsn, user=role, password=password)


def main() -> None:
    """Migrates what the environment names. Raises KeyError for a variable that is not set."""
    migrate_all(
        os.environ["BOXOFFICE_DATABASE_URL"],
        {service: os.environ[PASSWORD.format(service.upper())] for service in SERVICES},
    )


if __name__ == "__main__":
    main()
