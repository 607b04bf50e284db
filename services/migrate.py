"""Migrates every service's schema with the owner's rights: `python -m services.migrate`."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import Field, model_validator

from services.kit.database.migrations import ChangedMigrationError, migrate, pending, set_role
from services.kit.database.postgres import role_settings
from services.kit.process import cleartext
from services.kit.process.environment import SettingsError, mistakes, refuse
from services.kit.process.setting_types import DatabaseUrl
from services.kit.process.sources import EnvironmentSettings

SERVICES = ("accounts", "events", "bookings")
PASSWORDS = tuple(f"{service.upper()}_DATABASE_PASSWORD" for service in SERVICES)


class MigrationSettings(EnvironmentSettings):
    """The owner's database, and the password that the role of each service gets."""

    database_url: DatabaseUrl = Field(validation_alias="BOXOFFICE_DATABASE_URL")
    """Connection string of the owner of the schemas."""

    database_pooled: bool = Field(default=False, validation_alias="BOXOFFICE_DATABASE_POOLED")
    """Whether the services reach the database through a pooler in transaction mode. Then their
    roles get the settings that sessions have otherwise; this command needs a direct connection."""

    environment: Literal["development", "production"] = Field(
        default="development", validation_alias="BOXOFFICE_ENV"
    )
    """Where this runs; `production` refuses a database on another host without encryption."""

    allow_cleartext: bool = Field(default=False, validation_alias=cleartext.ALLOW)
    """Whether production may do that, because something else encrypts it."""

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

    @model_validator(mode="after")
    def _refuse_cleartext(self) -> Self:
        """Refuses to send passwords over the network as they are."""
        found = cleartext.of_database("BOXOFFICE_DATABASE_URL", self.database_url)
        if found and self.environment == "production" and not self.allow_cleartext:
            raise ValueError(found)
        return self

    @property
    def passwords(self) -> Mapping[str, str]:
        """The password of each service's role."""
        return {
            "accounts": self.accounts_password,
            "events": self.events_password,
            "bookings": self.bookings_password,
        }


def migrate_all(
    owner_dsn: str, passwords: Mapping[str, str], *, pooled: bool = False
) -> dict[str, str]:
    """Migrates all schemas to the newest version; returns the DSN of each service.

    `passwords` has one for each service; its role `boxoffice_<service>` gets it. With `pooled` the
    roles get what a pooler lets no session set.
    """
    for service in SERVICES:
        _migrate(owner_dsn, service, passwords[service])
        if pooled:
            set_role(owner_dsn, role_of(service), role_settings(service))
    return {
        service: make_conninfo(owner_dsn, user=role_of(service), password=passwords[service])
        for service in SERVICES
    }


def migrate_schemas(owner_dsn: str) -> None:
    """Migrates all schemas to the newest version, and leaves the passwords of the roles alone."""
    for service in SERVICES:
        _migrate(owner_dsn, service, None)


def pending_migrations(owner_dsn: str) -> list[str]:
    """Returns the migrations that have to run, as `bookings/0001_bookings.sql`.

    Raises ChangedMigrationError and psycopg.Error.
    """
    return [
        f"{service}/{name}"
        for service in SERVICES
        for name in pending(owner_dsn, schema=service, directory=_directory(service))
    ]


def role_of(service: str) -> str:
    """Returns the name of the role that a service connects as."""
    return f"boxoffice_{service}"


def _migrate(owner_dsn: str, service: str, password: str | None) -> None:
    migrate(
        owner_dsn,
        schema=service,
        directory=_directory(service),
        role=role_of(service),
        password=password,
    )


def _directory(service: str) -> Path:
    return Path(__file__).parent / service / "migrations"


def main() -> None:
    """Migrates the database that the environment names."""
    try:
        settings = MigrationSettings.load()
    except SettingsError as error:
        sys.exit(refuse("Boxoffice migrate", error))
    try:
        migrate_all(settings.database_url, settings.passwords, pooled=settings.database_pooled)
    except (psycopg.Error, ChangedMigrationError) as error:
        sys.exit(f"Boxoffice migrate: {error}")


if __name__ == "__main__":
    main()
