"""Restores a backup beside the database that is there, and puts it in its place when it is ready.

Until the last transaction, which changes two names, everything is as it was. Before it the new
database gets the newest schema, another epoch, and revisions and numbers that nobody has seen, so
that no process finds any that mean two things.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.operator.backups import dumps, programs
from deploy.operator.backups.losses import Loss, losses
from deploy.operator.errors import InUseError
from services.bookings.inventory.restoring import Restores
from services.events.feed.feed import Feed
from services.kit.database import queries
from services.kit.database.postgres import open_pool
from services.migrate import migrate_schemas

SQL = queries.load(__file__)
ATTEMPTS = 5
"""Times that sessions are ended: processes that run connect again at once."""
_LONGEST_NAME = 63
_MAINTENANCE = "postgres"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: the name of the database that was replaced, and what was lost."""

    replaced: str
    losses: list[Loss]


def restore(dsn: str, file: Path, *, force: bool) -> Restored:
    """Replaces the database by the backup in a file; keeps the former one under another name.

    Raises BackupError for a bad file, and InUseError while processes run, unless `force` ends their
    sessions. Then, and if anything else fails, the database stays as it is.
    """
    dumps.check(file)
    name = str(conninfo_to_dict(dsn)["dbname"])
    _expect_unused(dsn, name, force=force)
    stamp = f"{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"
    with _new_database(dsn, _named(name, f"restored_{stamp}")) as new:
        programs.run(
            "pg_restore",
            "--no-owner",
            "--no-acl",
            "--exit-on-error",
            "--single-transaction",
            file,
            dsn=new,
        )
        migrate_schemas(new)
        _continue(dsn, new)
        _continue_rankings(new)
        asyncio.run(_begin_anew(new))
        lost = list(losses(dsn, new))
        replaced = _named(name, f"before_{stamp}")
        _swap(dsn, name, str(conninfo_to_dict(new)["dbname"]), replaced, force=force)
    return Restored(replaced, lost)


def discard(dsn: str, name: str) -> None:
    """Deletes a database that was replaced."""
    with _maintenance(dsn) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _named(name: str, suffix: str) -> str:
    return f"{name[: _LONGEST_NAME - len(suffix) - 1]}_{suffix}"


def _maintenance(dsn: str) -> psycopg.Connection:
    """Connects to the database from which others are made and renamed."""
    return psycopg.connect(make_conninfo(dsn, dbname=_MAINTENANCE), autocommit=True)


def _expect_unused(dsn: str, name: str, *, force: bool) -> None:
    with _maintenance(dsn) as connection:
        found = [who for (who,) in connection.execute(SQL["connected"], {"name": name})]
    if found and not force:
        raise InUseError(name, found)


@contextlib.contextmanager
def _new_database(dsn: str, name: str) -> Iterator[str]:
    """Yields the DSN of an empty database, which is deleted if the block fails."""
    with _maintenance(dsn) as connection:
        identifier = sql.Identifier(name)
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
        try:
            yield make_conninfo(dsn, dbname=name)
        except BaseException:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))
            raise


def _continue(before: str, after: str) -> None:
    """Lets the new database give numbers, and count restores, where the former one stopped."""
    with psycopg.connect(before) as old, psycopg.connect(after) as new:
        for name, last in old.execute(SQL["sequences"]):
            new.execute(SQL["continue_sequence"], {"name": name, "last": last})
        found = old.execute("SELECT to_regclass('bookings.lineage')").fetchone()
        if found != (None,):
            [(restores,)] = old.execute(SQL["get_restores"]).fetchall()
            new.execute(SQL["continue_restores"], {"restores": restores})


def _continue_rankings(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(SQL["find_tables"])
        connection.execute(SQL["continue_rankings"])


async def _begin_anew(dsn: str) -> None:
    """Does at once what the services do when they notice that they were restored."""
    async with (
        open_pool(dsn, schema="events", size=1) as events,
        open_pool(dsn, schema="bookings", size=1) as bookings,
    ):
        await Feed(events).begin_epoch_if_restored()
        restores = Restores(bookings)
        while await restores.raise_revisions():
            pass


def _swap(dsn: str, name: str, new: str, replaced: str, *, force: bool) -> None:
    """Changes the names in one transaction. Raises InUseError while others are connected."""
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    for attempt in range(ATTEMPTS if force else 1):
        try:
            with _maintenance(dsn) as connection, connection.transaction():
                if force:
                    connection.execute(SQL["disconnect"], {"name": name})
                # From here on nobody can connect; the sessions that were ended get 5 s to do so.
                connection.execute(rename.format(sql.Identifier(name), sql.Identifier(replaced)))
                connection.execute(rename.format(sql.Identifier(new), sql.Identifier(name)))
                return
        except psycopg.errors.ObjectInUse as error:
            if attempt == (ATTEMPTS if force else 1) - 1:
                raise InUseError(name, [str(error.diag.message_detail)]) from error
