"""The command that brings every schema to its newest form."""

import os

import click

from deploy.local.migrate import main as migrate_development
from deploy.operator.errors import UnsetError
from services.migrate import PASSWORD, SERVICES
from services.migrate import main as migrate_environment


@click.command()
def migrate() -> None:
    """Bring the schemas of all services to their newest form.

    Safe to run twice, or at once. With BOXOFFICE_DATABASE_URL (an owner's, who can create roles)
    and EVENTS_DATABASE_PASSWORD, BOOKINGS_DATABASE_PASSWORD, ACCOUNTS_DATABASE_PASSWORD it migrates
    that database, and each service's role gets its password. Without passwords it migrates the
    database of `make run`, which must not be running.

    Needs nothing that runs but the database.
    """
    if not any(PASSWORD.format(service.upper()) in os.environ for service in SERVICES):
        migrate_development()
        return
    try:
        migrate_environment()
    except KeyError as error:
        raise UnsetError(error.args[0]) from error
    click.echo("The schemas are up to date.")
