"""The commands of the operator: `boxoffice`, or `python -m deploy.operator`."""

import logging
import pkgutil
import sys
from collections.abc import Mapping
from types import MappingProxyType

import click
import psycopg
import structlog

from deploy.local.errors import LocalRunError
from deploy.operator.errors import OperatorError
from services.accounts.people.administration import AccountNotFoundError
from services.kit.database.migrations import ChangedMigrationError
from services.kit.process.environment import refuse
from services.kit.rpc.errors import StartError

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "up": "deploy.operator.up:up",
        "migrate": "deploy.operator.schemas:migrate",
        "seed": "deploy.operator.sample_data:seed",
        "make-admin": "deploy.operator.accounts:make_admin",
        "set-role": "deploy.operator.accounts:set_role",
        "ban": "deploy.operator.accounts:ban",
        "unban": "deploy.operator.accounts:unban",
        "api-key": "deploy.operator.api_keys:api_key",
        "rotate-keys": "deploy.operator.signing_keys:rotate_keys",
        "rotate-ticket-keys": "deploy.operator.ticket_keys:rotate_ticket_keys",
        "import-room": "deploy.operator.rooms:import_room",
        "doctor": "deploy.operator.doctor.commands:doctor",
        "status": "deploy.operator.status.commands:status",
        "backup": "deploy.operator.backups.commands:backup",
        "restore": "deploy.operator.backups.commands:restore",
        "load": "deploy.load.command:load",
    }
)
"""Where the commands are."""

_FAILURES = (
    OperatorError,
    LocalRunError,
    AccountNotFoundError,
    ChangedMigrationError,
    psycopg.Error,
)


class Commands(click.Group):
    """A group of commands whose foreseen failures are messages, not tracebacks.

    A command is imported when it is called: all of them together take longer than most need to run.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See click.Group."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click.Group, which compares an unknown name with those of `self.commands`."""
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            self.add_command(pkgutil.resolve_name(COMMANDS[name]), name)
        return super().get_command(ctx, cmd_name)

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


def main() -> None:
    """Runs the command; sends logs to stderr, so that the output stays usable."""
    # The pool logs every attempt to connect; the command reports the failure once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    boxoffice(prog_name="boxoffice")


if __name__ == "__main__":
    main()
