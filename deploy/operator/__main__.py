"""The commands of the operator: `boxoffice`, or `python -m deploy.operator`."""

import logging
import sys

import click
import psycopg
import structlog

from deploy.load.command import load
from deploy.local.errors import LocalRunError
from deploy.operator import (
    accounts,
    api_keys,
    rooms,
    sample_data,
    schemas,
    signing_keys,
    ticket_keys,
    up,
)
from deploy.operator.backups.commands import backup, restore
from deploy.operator.doctor.commands import doctor
from deploy.operator.errors import OperatorError
from deploy.operator.status.commands import status
from services.accounts.people.administration import AccountNotFoundError
from services.kit.database.migrations import ChangedMigrationError
from services.kit.process.environment import refuse
from services.kit.rpc.errors import StartError

_FAILURES = (
    OperatorError,
    LocalRunError,
    AccountNotFoundError,
    ChangedMigrationError,
    psycopg.Error,
)


class Commands(click.Group):
    """A group of commands whose foreseen failures are messages, not tracebacks."""

    def invoke(self, ctx: click.Context) -> object:
        """See click.Group."""
        try:
            return super().invoke(ctx)
        except StartError as error:
            sys.exit(refuse("boxoffice", error))
        except _FAILURES as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="boxoffice-server")
def boxoffice() -> None:
    """Operate Boxoffice.

    The database of a service is ACCOUNTS_DATABASE_URL, EVENTS_DATABASE_URL or
    BOOKINGS_DATABASE_URL, else BOXOFFICE_DATABASE_URL, else the one of `boxoffice up` or, in a
    checkout, of `make run`, which must be running then.
    """


for command in (
    up.up,
    schemas.migrate,
    sample_data.seed,
    accounts.make_admin,
    accounts.set_role,
    accounts.ban,
    accounts.unban,
    api_keys.api_key,
    signing_keys.rotate_keys,
    ticket_keys.rotate_ticket_keys,
    rooms.import_room,
    doctor,
    status,
    backup,
    restore,
    load,
):
    boxoffice.add_command(command)


def main() -> None:
    """Runs the command; sends logs to stderr, so that the output stays usable."""
    # The pool logs every attempt to connect; the command reports the failure once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    boxoffice(prog_name="boxoffice")


if __name__ == "__main__":
    main()
