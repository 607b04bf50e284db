from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs

from deploy.local.postgres.server import EmbeddedPostgres
from services.kit.database import migrations
from services.kit.database.migrations import ChangedMigrationError, migrate, set_role
from services.migrate import SERVICES, migrate_all
from tests.conftest import PASSWORDS, Database

REPLICAS = 4
ROLE = "boxoffice_test"


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Returns the owner's DSN of a database without schemas."""
    yield postgres.create_database("empty")
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("DROP DATABASE empty WITH (FORCE)")
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(ROLE)))


def read(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    """Reads rows."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement.encode()).fetchall()


def run_migrations(dsn: str, directory: Path) -> None:
    """Migrates the schema `test`."""
    migrate(dsn, schema="test", directory=directory, role=ROLE, password="secret")


def write(directory: Path, **files: str) -> Path:
    """Writes migrations; `functions_x` is the repeatable file x."""
    for name, text in files.items():
        path = directory / f"{name.replace('functions_', 'functions/')}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


def test_replicas_that_start_together_migrate_once(empty: str) -> None:
    """Replicas that start together could run a file twice, or start without the schema."""
    start = Barrier(REPLICAS)

    def replica(_: int) -> dict[str, str]:
        start.wait()
        return migrate_all(empty, PASSWORDS)

    with ThreadPoolExecutor(REPLICAS) as threads:
        found = list(threads.map(replica, range(REPLICAS)))
    for service in SERVICES:
        files = Path(migrations.__file__).parents[2].joinpath(service, "migrations").rglob("*.sql")
        assert len(read(empty, f"SELECT FROM {service}.schema_migrations")) == len(list(files))
        assert all(read(dsns[service], "SELECT 1") == [(1,)] for dsns in found)


@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [
        ("", "CREATE ROLE {}"),
        ("CREATE ROLE {}", "ALTER ROLE {} PASSWORD 'other'"),
        ("CREATE ROLE {}", "ALTER ROLE {} SET jit = on"),
        ("CREATE ROLE {0}; ALTER ROLE {0} SET jit = on", "ALTER ROLE {} RESET jit"),
    ],
    ids=["create", "password", "first setting", "setting"],
)
def test_databases_of_one_server_migrate_at_once(
    postgres: EmbeddedPostgres, empty: str, tmp_path: Path, before: str, meanwhile: str
) -> None:
    """One of them would fail: locks are of one database, but roles of the whole server."""

    def migrate_and_set() -> None:
        run_migrations(empty, tmp_path)
        set_role(empty, ROLE, {"jit": "off"})

    with psycopg.connect(postgres.dsn()) as other, ThreadPoolExecutor(1) as thread:
        other.execute(before.format(ROLE).encode())
        other.commit()
        other.execute(meanwhile.format(ROLE).encode())
        migrating = thread.submit(migrate_and_set)
        waiting = "SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
        while not other.execute(waiting).rowcount:
            assert not migrating.done(), "it did not collide"
        other.commit()
        migrating.result()
    role = read(empty, f"SELECT rolconfig FROM pg_roles WHERE rolname = '{ROLE}'")
    assert role == [(["jit=off"],)]


def test_requests_do_not_queue_behind_a_migration(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request could wait for a migration that waits for one long transaction."""
    monkeypatch.setattr(migrations, "LOCK_MILLISECONDS", 10)
    monkeypatch.setattr(migrations, "ATTEMPTS", 2)
    monkeypatch.setattr(migrations, "PAUSE_SECONDS", 0)
    run_migrations(empty, write(tmp_path, **{"0001_made": "CREATE TABLE made (id integer)"}))
    write(tmp_path, **{"0002_more": "ALTER TABLE made ADD COLUMN more integer"})
    with psycopg.connect(empty) as long, capture_logs() as logs:
        long.execute("SELECT FROM test.made")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            run_migrations(empty, tmp_path)
    assert [(entry["event"], entry["migration"]) for entry in logs] == [
        ("a table is locked", "0002_more.sql")
    ]
    run_migrations(empty, tmp_path)
    assert read(empty, "SELECT more FROM test.made") == []


def test_without_the_lock_replicas_collide(empty: str, tmp_path: Path) -> None:
    """Negative control: the same steps without the lock fail for all replicas but one."""
    slow = "SELECT pg_sleep(0.05); CREATE TABLE made ()"
    directory = write(tmp_path, **{"0001_made": slow})
    run_migrations(empty, write(tmp_path / "nothing", functions_none="SELECT 1"))
    start = Barrier(REPLICAS)

    def replica(_: int) -> bool:
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute("SET search_path TO test")
            [migration] = migrations._pending(directory, migrations._done(connection))
            start.wait()
            try:
                migrations._run(connection, migration)
            except psycopg.Error:
                return False
            return True

    with ThreadPoolExecutor(REPLICAS) as threads:
        assert sum(threads.map(replica, range(REPLICAS))) == 1


def test_migrating_again_does_nothing(database: Database) -> None:
    """A restart could run migrations again."""
    ran = "SELECT name, run_at FROM bookings.schema_migrations ORDER BY name"
    before = read(database.owner_dsn, ran)
    migrate_all(database.owner_dsn, PASSWORDS)
    assert read(database.owner_dsn, ran) == before


def test_a_changed_migration_is_refused(empty: str, tmp_path: Path) -> None:
    """A database could differ from what its migration files say."""
    run_migrations(empty, write(tmp_path, **{"0001_a": "CREATE TABLE a ()"}))
    write(tmp_path, **{"0001_a": "CREATE TABLE a (x text)", "0002_b": "CREATE TABLE b ()"})
    with pytest.raises(ChangedMigrationError, match="0001_a"):
        run_migrations(empty, tmp_path)
    assert read(empty, "SELECT to_regclass('test.b')") == [(None,)]


def test_a_repeatable_file_is_run_again_when_it_changes(empty: str, tmp_path: Path) -> None:
    """A function could stay as in an older version of its file."""
    function = "CREATE OR REPLACE FUNCTION one() RETURNS integer RETURN {}"
    for number in (1, 2, 1):
        run_migrations(empty, write(tmp_path, functions_one=function.format(number)))
        assert read(empty, "SELECT test.one()") == [(number,)]


def test_a_failing_migration_leaves_nothing_of_itself(empty: str, tmp_path: Path) -> None:
    """A failed migration could leave half of its changes, or block the corrected one."""
    broken = "CREATE TABLE b (); SELECT 1 / 0"
    write(tmp_path, **{"0001_a": "CREATE TABLE a ()", "0002_b": broken})
    with pytest.raises(psycopg.errors.DivisionByZero):
        run_migrations(empty, tmp_path)
    assert read(empty, "SELECT name FROM test.schema_migrations") == [("0001_a.sql",)]
    run_migrations(empty, write(tmp_path, **{"0002_b": "CREATE TABLE b ()"}))
    assert read(empty, "SELECT to_regclass('test.b') IS NOT NULL") == [(True,)]


def test_warnings_of_a_migration_are_logged(empty: str, tmp_path: Path) -> None:
    """An operator would not learn that an extension is missing."""
    text = "DO $$ BEGIN RAISE WARNING 'no pg_trgm'; RAISE NOTICE 'chatter'; END $$"
    with capture_logs() as logged:
        run_migrations(empty, write(tmp_path, **{"0001_a": text}))
    warning = {"event": "no pg_trgm", "migration": "0001_a.sql", "log_level": "warning"}
    assert logged == [warning]


def test_a_new_password_is_valid_after_a_migration(empty: str, tmp_path: Path) -> None:
    """A password could not be rotated."""
    directory = write(tmp_path, **{"0001_a": "CREATE TABLE a ()"})
    run_migrations(empty, directory)
    migrate(empty, schema="test", directory=directory, role=ROLE, password="rotated")
    with psycopg.connect(empty, user=ROLE, password="rotated") as connection:
        assert connection.execute("SELECT count(*) FROM test.a").fetchone() == (0,)


@pytest.mark.parametrize(("service", "other"), list(permutations(SERVICES, 2)))
def test_a_role_is_limited_to_the_rows_of_its_schema(
    database: Database, service: str, other: str
) -> None:
    """An attacker in one service could read the rows of others, or change a schema."""
    tables = {"accounts": "signing_keys", "events": "events", "bookings": "inventory"}
    dsn: str = getattr(database, f"{service}_dsn")
    own_table, others_table = f"{service}.{tables[service]}", f"{other}.{tables[other]}"
    assert read(dsn, f"SELECT FROM {own_table}") == []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in (
            f"SELECT FROM {other}.schema_migrations",
            f"SELECT FROM {others_table}",
            f"INSERT INTO {service}.schema_migrations (name, sha256) VALUES ('x', 'y')",
            f"DELETE FROM {service}.schema_migrations",
            f"CREATE TABLE {service}.more ()",
            "CREATE TABLE public.more ()",
            f"TRUNCATE {own_table}",
            f"DROP TABLE {own_table}",
            "CREATE ROLE mallory",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
