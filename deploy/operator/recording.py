"""Records the commands of the operator in the audit log of the service that they change."""

import contextlib
import getpass
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import click

from services.kit.audit.log import OK, Action, Actor, AuditLog
from services.kit.database.postgres import Pool

FAILED = "failed"


@dataclass(slots=True)
class Recording:
    """The entry of a command that runs; what it creates is set once that is known."""

    created: str | None = None


@contextlib.asynccontextmanager
async def recorded(
    pool: Pool, target: str | None, *, argument: str | None = None
) -> AsyncIterator[Recording]:
    """Records the command before the block runs, and what came of it.

    The action is the name of the command, with an argument that says what it does.
    """
    command = click.get_current_context().info_name
    words = filter(None, ("boxoffice", command, argument))
    log, recording = AuditLog(pool), Recording()
    number = await log.begin(Action(Actor("COMMAND", _user()), " ".join(words), target))
    try:
        yield recording
    except Exception:
        await log.finish(number, FAILED)
        raise
    await log.finish(number, OK, recording.created)


def _user() -> str:
    """Returns the user of the operating system, by number if it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
