"""Checks of the database: whether it answers, its version, clock, migrations, keys and programs."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg

from deploy.local.postgres.binaries import OLDEST_VERSION
from deploy.operator.doctor.finding import Finding, error, ok, warning
from services.kit.database.migrations import ChangedMigrationError
from services.kit.database.postgres import role_settings
from services.migrate import SERVICES, pending_migrations, role_of

OFF_SECONDS = 1.0
_DEVELOPMENT_KEYS = "SELECT count(*) FROM accounts.signing_keys WHERE kid LIKE 'dev-%'"
_MAY = (
    "SELECT rolcreaterole OR rolsuper, rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = user"
)


def check_database(dsn: str, *, pooled: bool = False) -> Iterator[Finding]:
    """Yields findings; changes nothing. `pooled` is whether services reach it through a pooler."""
    try:
        with psycopg.connect(dsn, connect_timeout=5, autocommit=True) as connection:
            yield _reachable(connection)
            yield _clock(connection)
            yield from _rights(connection)
            yield _migrations(dsn)
            yield from _keys(connection)
            if pooled:
                yield _roles(connection)
    except psycopg.Error as problem:
        yield error("database", f"it does not answer: {str(problem).strip().splitlines()[0]}")


def _reachable(connection: psycopg.Connection) -> Finding:
    number = connection.info.server_version // 10_000
    text = f"PostgreSQL {connection.info.parameter_status('server_version')} answers"
    if number < OLDEST_VERSION:
        return error("database", f"{text}, and must be {OLDEST_VERSION} or later")
    for name in ("fsync", "synchronous_commit"):
        [(value,)] = connection.execute(f"SHOW {name}").fetchall()
        if value == "off":
            return error("database", f"{text}, and {name} is off: a crash would lose bookings")
    return ok("database", text)


def _clock(connection: psycopg.Connection) -> Finding:
    before = datetime.now(UTC)
    [(theirs,)] = connection.execute("SELECT clock_timestamp()").fetchall()
    after = datetime.now(UTC)
    off = max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)
    text = f"the clock of the database is {off:.1f} s off"
    if off > OFF_SECONDS:
        return warning("clock", f"{text}: synchronise both")
    return ok("clock", "that of the database agrees")


def _rights(connection: psycopg.Connection) -> Iterator[Finding]:
    [(may_create_roles, may_create_databases)] = connection.execute(_MAY).fetchall()
    if not may_create_roles:
        yield error("rights", f"{connection.info.user} must be able to create roles")
    elif not may_create_databases:
        yield warning("rights", f"{connection.info.user} cannot create databases, as restores do")
    else:
        yield ok("rights", f"{connection.info.user} can create roles and databases")


def _migrations(dsn: str) -> Finding:
    try:
        missing = pending_migrations(dsn)
    except ChangedMigrationError as changed:
        return error("migrations", f"{changed}: this release is not the one that ran it")
    if missing:
        return warning("migrations", f"{len(missing)} have to run: boxoffice up or migrate does so")
    return ok("migrations", "all have run")


def _keys(connection: psycopg.Connection) -> Iterator[Finding]:
    found = connection.execute("SELECT to_regclass('accounts.signing_keys')").fetchone()
    if found == (None,):
        return
    [(development,)] = connection.execute(_DEVELOPMENT_KEYS).fetchall()
    if development:
        yield error(
            "secrets",
            "a key of a development run signs access tokens: boxoffice rotate-keys --compromised",
        )


def _roles(connection: psycopg.Connection) -> Finding:
    """Returns whether the roles of services have the settings that a pooler lets no session set."""
    roles = "SELECT rolname, lower(coalesce(rolconfig, '{}')::text)::text[] FROM pg_roles"
    found = connection.execute(roles).fetchall()
    has = {role: set(settings) for role, settings in found}
    for service in SERVICES:
        wanted = {f"{name}={value}".lower() for name, value in role_settings(service).items()}
        if not wanted <= has.get(role_of(service), set()):
            return error(
                "pooler", f"{role_of(service)} lacks settings: boxoffice migrate sets them"
            )
    return ok("pooler", "the roles of the services have the settings that it needs")
