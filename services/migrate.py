"""Migrates every service's schema with the owner's rights: `python -m services.migrate`."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import Field
from pydantic_settings import BaseSettings

from services.kit.database.migrations import ChangedMigrationError, migrate
from services.kit.process.environment import SettingsError, mistakes, refuse
from services.kit.process.setting_types import DatabaseUrl
from services.kit.process.settings import MODEL_CONFIG

SERVICES = ("accounts", "events", "bookings")
PASSWORDS = tuple(f"{service.upper()}_DATABASE_PASSWORD" for service in SERVICES)


class MigrationSettings(BaseSettings):
    """The owner's database, and the password that the role of each service gets."""

    model_config = MODEL_CONFIG

    database_url: DatabaseUrl = Field(validation_alias="BOXOFFICE_DATABASE_URL")
    """Connection string of the owner of the schemas."""

    accounts_password: str = Field(repr=False, validation_alias="ACCOUNTS_DATABASE_PASSWORD")
    """Password that the role of accounts gets."""

    events_password: str = Field(repr=False, validation_alias="EVENTS_DATABASE_PASSWORD")
    """Password that the role of events gets."""

    bookings_password: str = Field(repr=False, validation_alias="BOOKINGS_DATABASE_PASSWORD")
    """Password that the role of bookings gets."""

    @classmethod
    def load(cls) -> Self:
        """Reads the settings. Raises SettingsError."""
        if found := mistakes(cls, os.environ):
            raise SettingsError("\n".join(found))
        return cls()

    @property
    def passwords(self) -> Mapping[str, str]:
        """The password of each service's role."""
        return {
            "accounts": self.accounts_password,
            "events": self.events_password,
            "bookings": self.bookings_password,
        }


def migrate_all(owner_dsn: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """Migrates all schemas to the newest version; returns the DSN of each service.

    `passwords` has one for each service; its role `boxoffice_<service>` gets it.
    """
    return {service: _migrate(owner_dsn, service, passwords[service]) for service in SERVICES}


def _migrate(owner_dsn: str, service: str, password: str) -> str:
    role = f"boxoffice_{service}"
    directory = Path(__file__).parent / service / "migrations"
    migrate(owner_dsn, schema=service, directory=directory, role=role, password=password)
    return make_conninfo(owner_dsn, user=role, password=password)


def main() -> None:
    """Migrates the database that the environment names."""
    try:
        settings = MigrationSettings.load()
    except SettingsError as error:
        sys.exit(refuse("Boxoffice migrate", error))
    try:
        migrate_all(settings.database_url, settings.passwords)
    except (psycopg.Error, ChangedMigrationError) as error:
        sys.exit(f"Boxoffice migrate: {error}")


if __name__ == "__main__":
    main()
