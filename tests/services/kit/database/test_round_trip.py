import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

import psycopg
import pytest
from psycopg import AsyncConnection

from services.kit.database.postgres import Connection, PooledConnection
from services.kit.database.round_trip import RoundTrip, prepared
from tests.conftest import Database

ECHO = prepared("echo", b"SELECT %(text)s::text, %(number)s::integer, %(text)s::text")
COUNT = prepared("count", b"SELECT count(*) FROM notes")
NOTE = prepared("note", b"INSERT INTO notes VALUES (%(text)s::text)")


class Pooled(PooledConnection):
    """A connection whose transactions set what sessions would have."""

    transaction_settings: ClassVar[Mapping[str, str]] = {"lock_timeout": "7s"}  # type: ignore[misc]


@pytest.fixture(params=[AsyncConnection, Pooled], ids=["session", "pooled"])
async def connection(
    database: Database, request: pytest.FixtureRequest
) -> AsyncIterator[Connection]:
    """Connects to a database with a table for notes, which only this session sees."""
    async with await request.param.connect(
        database.owner_dsn, autocommit=True, prepare_threshold=1
    ) as opened:
        await opened.execute("CREATE TEMPORARY TABLE notes (text text UNIQUE)")
        yield opened


async def test_each_statement_has_its_parameters_and_rows(
    connection: Connection,
) -> None:
    """A parameter with a quote could be read as SQL, or rows go to another statement."""
    trip = RoundTrip(connection)
    strange = "'); DROP TABLE notes; -- \\' \u2603 %s %(text)s"
    trip.command(b"BEGIN")
    echoed = trip.read(ECHO, {"number": 7, "text": strange})
    trip.call(NOTE, {"text": strange})
    counted = trip.read(COUNT, {})
    trip.command(b"COMMIT")
    await trip.send()
    assert echoed.rows == [(strange, 7, strange)]
    assert counted.rows == [(1,)]


async def test_a_statement_that_fails_keeps_the_commit_from_running(
    connection: Connection,
) -> None:
    """Half of a decision could be committed."""
    trip = RoundTrip(connection)
    trip.command(b"BEGIN")
    trip.call(NOTE, {"text": "once"})
    trip.call(NOTE, {"text": "once"})
    trip.command(b"COMMIT")
    with pytest.raises(psycopg.errors.UniqueViolation):
        await trip.send()
    await connection.rollback()
    again = RoundTrip(connection)
    counted = again.read(COUNT, {})
    await again.send()
    assert counted.rows == [(0,)]


async def test_a_transaction_behind_a_pooler_has_its_settings(database: Database) -> None:
    """A paused process could keep its locks for ever, or a setting reach another client."""
    show = prepared("show", b"SELECT current_setting('lock_timeout')")
    async with await Pooled.connect(database.owner_dsn, autocommit=True) as connection:
        trip = RoundTrip(connection)
        trip.begin()
        during = trip.read(show, {})
        trip.command(b"COMMIT")
        after = trip.read(show, {})
        await trip.send()
        left = await connection.execute("SELECT count(*) FROM pg_prepared_statements")
        assert (during.rows, after.rows) == ([("7s",)], [("0",)])
        assert await left.fetchall() == [(0,)]


async def test_statements_survive_a_rollback_on_a_shared_connection(
    connection: Connection,
) -> None:
    """Psycopg deallocates all statements at a rollback once it has prepared one itself."""
    for _ in range(3):
        await connection.execute("SELECT 1")
    for _ in range(2):
        trip = RoundTrip(connection)
        trip.command(b"BEGIN")
        counted = trip.read(COUNT, {})
        await trip.send()
        await connection.execute("SELECT 1")
        await connection.rollback()
        assert counted.rows == [(0,)]


async def test_each_statement_sees_what_was_committed_before_its_turn(
    connection: Connection, database: Database
) -> None:
    """Rows that are read after a lock could be older than the lock."""
    lock = prepared("lock", b"SELECT pg_advisory_xact_lock(%(number)s::bigint)")
    events = prepared("events", b"SELECT count(*) FROM bookings.following WHERE sequence = 42")
    async with await AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT pg_advisory_xact_lock(1)")
        await other.execute("UPDATE bookings.following SET sequence = 42")
        trip = RoundTrip(connection)
        trip.command(b"BEGIN")
        trip.read(lock, {"number": 1})
        counted = trip.read(events, {})
        sending = asyncio.ensure_future(trip.send())
        await waiting_for_a_lock(database)
        await other.commit()
        await sending
    assert counted.rows == [(1,)]


async def waiting_for_a_lock(database: Database) -> None:
    """Returns once a session waits for the advisory lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with await AsyncConnection.connect(database.owner_dsn, autocommit=True) as monitor:
        found = 0
        while not found:
            [(found,)] = await (await monitor.execute(waiting)).fetchall()
