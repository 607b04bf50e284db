"""The command that brings every schema to its newest form."""

import os

import click

from deploy.local.migrate import main as migrate_development
from services.kit.process.setting_names import FILE
from services.migrate import PASSWORDS, MigrationSettings, migrate_all


@click.command()
def migrate() -> None:
    """Bring the schemas of all services to their newest form.

    Safe to run twice, or at once. With BOXOFFICE_DATABASE_URL (an owner's, who can create roles)
    and EVENTS_DATABASE_PASSWORD, BOOKINGS_DATABASE_PASSWORD, ACCOUNTS_DATABASE_PASSWORD it migrates
    that database, and each service's role gets its password. Without passwords it migrates the
    database of `boxoffice up` or `make run`, which must not be running.

    Needs nothing that runs but the database.
    """
    if not any(name in os.environ or name + FILE in os.environ for name in PASSWORDS):
        migrate_development()
        return
    settings = MigrationSettings.load()
    migrate_all(settings.database_url, settings.passwords, pooled=settings.database_pooled)
    click.echo("The schemas are up to date.")
