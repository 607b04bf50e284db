"""Migrates the schema of a service; several replicas may start at once.

A service's `migrations/` has numbered files, each run once in its own transaction, and a folder
`functions/` of CREATE OR REPLACE statements, each run again whenever its text changes. The owner of
the database runs them; the service's own role may use this schema and nothing else.
"""

import contextlib
import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import structlog
from psycopg import sql

Connection = psycopg.Connection[tuple[object, ...]]

LOCK = "SELECT pg_advisory_lock(hashtext('boxoffice migrations'))"
"""Waits for all who migrate the database; held until the connection ends."""

LOCK_MILLISECONDS = 500
ATTEMPTS, PAUSE_SECONDS = 120, 0.5
"""How often a migration asks for its locks: for two minutes, which is longer than any worker's
transaction takes."""

CREATED_MEANWHILE = (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation)
CHANGED_MEANWHILE = (psycopg.errors.InternalError_, psycopg.errors.UniqueViolation)
"""What fails a session about roles, once another one has committed: they are the whole server's,
and the lock above is of one database."""

log = structlog.get_logger()


class ChangedMigrationError(Exception):
    """A numbered migration was changed after it had been run."""

    def __str__(self) -> str:
        return f"{self.args[0]} was changed after it had been run"


@dataclass(frozen=True, slots=True)
class Migration:
    """A file of SQL; a repeatable one is run again when its text changes."""

    name: str
    text: str
    repeatable: bool

    @property
    def sha256(self) -> str:
        """Digest of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrate(
    owner_dsn: str, *, schema: str, directory: Path, role: str, password: str | None
) -> None:
    """Creates the schema and the role if they do not exist, and runs the new files of `directory`.

    Without a password the role keeps the one that it has; a new role cannot log in then. Files that
    ran before stay in force; a file that fails changes nothing. Raises ChangedMigrationError if a
    numbered file was changed after it ran, psycopg.Error if a file fails.
    """
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        # Of two replicas the second finds nothing to do.
        connection.execute(LOCK)
        _prepare(connection, schema, role, password)
        for migration in _pending(directory, _done(connection)):
            _run(connection, migration)
        _grant(connection, schema, role)


def set_role(owner_dsn: str, role: str, settings: Mapping[str, str]) -> None:
    """Sets what each session of a role begins with."""
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        for name, value in settings.items():
            setting = sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
            _change_role(connection, role, setting)


def _prepare(connection: Connection, schema: str, role: str, password: str | None) -> None:
    names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        with contextlib.suppress(*CREATED_MEANWHILE):
            connection.execute(sql.SQL("CREATE ROLE {role} LOGIN").format(**names))
    if password is not None:
        _change_role(connection, role, sql.SQL("PASSWORD {}").format(sql.Literal(password)))
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {schema}").format(**names))
    connection.execute(sql.SQL("SET search_path TO {schema}").format(**names))
    connection.execute("""
        CREATE TABLE IF NOT EXISTS schema_migrations (
            name text PRIMARY KEY,
            sha256 text NOT NULL,
            run_at timestamptz NOT NULL DEFAULT now()
        )
    """)


def _change_role(connection: Connection, role: str, change: sql.Composed) -> None:
    """Changes a role, again if another session did so meanwhile; one of them always succeeds."""
    statement = sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(role), change)
    for attempt in range(ATTEMPTS):
        try:
            connection.execute(statement)
            return
        except CHANGED_MEANWHILE:
            if attempt == ATTEMPTS - 1:
                raise


def _done(connection: Connection) -> dict[object, object]:
    rows = connection.execute("SELECT name, sha256 FROM schema_migrations").fetchall()
    return {name: sha256 for name, sha256 in rows}  # noqa: C416 - dict() loses the types


def pending(owner_dsn: str, *, schema: str, directory: Path) -> list[str]:
    """Returns the names of the files of `directory` that have to run, and changes nothing.

    Raises ChangedMigrationError and psycopg.Error.
    """
    done: dict[object, object] = {}
    with psycopg.connect(owner_dsn) as connection:
        found = connection.execute("SELECT to_regclass(%s)", [f"{schema}.schema_migrations"])
        if found.fetchone() != (None,):
            connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
            done = _done(connection)
    return [migration.name for migration in _pending(directory, done)]


def _pending(directory: Path, done: dict[object, object]) -> Iterator[Migration]:
    for migration in _files(directory):
        known = done.get(migration.name)
        if known == migration.sha256:
            continue
        if known is not None and not migration.repeatable:
            raise ChangedMigrationError(migration.name)
        yield migration


def _files(directory: Path) -> Iterator[Migration]:
    for path in sorted(directory.glob("*.sql")):
        yield Migration(path.name, path.read_text(encoding="utf-8"), repeatable=False)
    for path in sorted(directory.glob("functions/*.sql")):
        yield Migration(f"functions/{path.name}", path.read_text(encoding="utf-8"), repeatable=True)


def _run(connection: Connection, migration: Migration) -> None:
    """Runs a file, again and again while a transaction keeps a table that it needs.

    Requests queue behind a lock that is waited for, so it is never waited for as long as they may.
    """
    for attempt in range(ATTEMPTS):
        try:
            _try(connection, migration)
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if attempt == ATTEMPTS - 1:
                raise
            log.warning("a table is locked", migration=migration.name)
            time.sleep(PAUSE_SECONDS)  # waiting for the lock itself would hold up requests


def _try(connection: Connection, migration: Migration) -> None:
    warn = partial(_warn, migration)
    connection.add_notice_handler(warn)
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
            connection.execute(migration.text.encode())
            connection.execute(
                """
                INSERT INTO schema_migrations (name, sha256)
                VALUES (%s, %s)
                ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, run_at = now()
                """,
                [migration.name, migration.sha256],
            )
    finally:
        connection.remove_notice_handler(warn)


def _warn(migration: Migration, notice: psycopg.errors.Diagnostic) -> None:
    """Logs what a migration warns of, such as an extension that is not there."""
    if notice.severity_nonlocalized == "WARNING":
        log.warning(notice.message_primary, migration=migration.name)


def _grant(connection: Connection, schema: str, role: str) -> None:
    """Grants the role to read and write the rows of the schema, and nothing else."""
    names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
    with connection.transaction():  # or a right could be there for a moment
        for statement in (
            "REVOKE ALL ON SCHEMA {schema} FROM PUBLIC",
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
            "REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM {role}",
            "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
            "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}",
        ):
            connection.execute(sql.SQL(statement).format(**names))
        _make_append_only(connection, schema, role)


def _make_append_only(connection: Connection, schema: str, role: str) -> None:
    """Leaves the role only the rights to read and to add rows in tables called `audit_…`."""
    found = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename ^@ 'audit_'", [schema]
    )
    revoke = sql.SQL("REVOKE UPDATE, DELETE ON {table} FROM {role}")
    for (table,) in found.fetchall():
        names = {"table": sql.Identifier(schema, str(table)), "role": sql.Identifier(role)}
        connection.execute(revoke.format(**names))
