import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from services.kit.database.postgres import (
    Pool,
    is_reachable,
    open_pool,
    refusal_from_database,
    wait_until_reachable,
)
from services.kit.rpc.errors import OutcomeUnknown, Refusal, Unavailable
from tests.conftest import Database
from tests.services.conditions import until

SIZE = 4
MEANINGS: dict[str, tuple[type[Refusal] | None, type[Refusal] | None]] = {
    "55P03": (Unavailable, Unavailable),  # lock timeout
    "57014": (Unavailable, Unavailable),  # statement timeout
    "40001": (Unavailable, Unavailable),  # serialization failure
    "40P01": (Unavailable, Unavailable),  # deadlock
    "25P03": (Unavailable, Unavailable),  # idle in transaction
    "25006": (Unavailable, Unavailable),  # a standby
    "53300": (Unavailable, Unavailable),  # too many connections
    "53100": (Unavailable, Unavailable),  # disk full
    "57P03": (Unavailable, Unavailable),  # starting up
    "57P01": (Unavailable, OutcomeUnknown),  # terminated
    "08006": (Unavailable, OutcomeUnknown),  # connection lost
    "23505": (None, None),
    "23514": (None, None),
    "22003": (None, None),
    "42P01": (None, None),
    "XX000": (None, None),
}
"""The refusals for an SQLSTATE, on a read and on a write."""
TERMINATE = """
    SELECT pg_terminate_backend(pid)
    FROM pg_stat_activity
    WHERE datname = current_database()
        AND usename = 'boxoffice_bookings'
"""


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """Opens a small pool as the service's own role."""
    async with open_pool(database.bookings_dsn, schema="bookings", size=SIZE) as opened:
        yield opened


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    """Connects as the owner."""
    async with await psycopg.AsyncConnection.connect(
        database.owner_dsn, autocommit=True
    ) as connection:
        yield connection


async def run(pool: Pool, *statements: str) -> None:
    """Runs statements on one connection, each on its own."""
    async with pool.connection() as connection:
        for statement in statements:
            await connection.execute(statement.encode())


async def failing(pool: Pool, *statements: str) -> psycopg.Error:
    """Runs statements that must fail; returns the error."""
    with pytest.raises(psycopg.Error) as failure:
        await run(pool, *statements)
    return failure.value


def refusals(error: BaseException) -> tuple[type[Refusal] | None, type[Refusal] | None]:
    """Returns the refusals that an error means, on a read and on a write."""
    read, write = (
        refusal_from_database(error, is_read=True),
        refusal_from_database(error, is_read=False),
    )
    return type(read) if read else None, type(write) if write else None


async def test_each_sqlstate_has_its_refusal(pool: Pool) -> None:
    """A write that may be committed could be reported as not done, or a defect as an outage."""
    for state, meaning in MEANINGS.items():
        error = await failing(pool, f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{state}'; END $$")
        assert error.sqlstate == state
        assert refusals(error) == meaning, state


async def test_a_lock_timeout_is_certainly_not_done(
    pool: Pool, owner: psycopg.AsyncConnection
) -> None:
    """A request could wait for ever for a locked row, or leave its caller in doubt."""
    async with owner.transaction():
        await owner.execute("LOCK TABLE bookings.tallied")
        error = await failing(pool, "SET lock_timeout = '10ms'", "DELETE FROM tallied")
    assert refusals(error) == (Unavailable, Unavailable)


async def test_a_statement_timeout_is_certainly_not_done(pool: Pool) -> None:
    """A slow statement could run for ever, or leave its caller in doubt."""
    error = await failing(pool, "SET statement_timeout = '10ms'", "SELECT pg_sleep(5)")
    assert refusals(error) == (Unavailable, Unavailable)


async def test_a_killed_backend_leaves_only_a_write_in_doubt(
    pool: Pool, owner: psycopg.AsyncConnection
) -> None:
    """A write that was committed before the connection broke could be reported as not done."""
    sleeping = asyncio.create_task(failing(pool, "SELECT pg_sleep(5)"))

    async def sleeps() -> bool:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        return await (await owner.execute(asked)).fetchone() == (1,)

    await until(sleeps)
    await owner.execute(TERMINATE.encode())
    assert refusals(await sleeping) == (Unavailable, OutcomeUnknown)


async def test_a_transaction_left_idle_is_ended_and_certainly_not_done(
    pool: Pool, owner: psycopg.AsyncConnection
) -> None:
    """A process that is paused could keep the lock of an event for as long."""
    async with pool.connection() as connection:
        backend = connection.info.backend_pid

        async def is_ended() -> bool:
            asked = "SELECT FROM pg_stat_activity WHERE pid = %s"
            return await (await owner.execute(asked, [backend])).fetchone() is None

        # All at once: the time runs as soon as the session is idle.
        await connection.execute(
            "BEGIN; DELETE FROM tallied; SET idle_in_transaction_session_timeout = '20ms'"
        )
        await until(is_ended)
        with pytest.raises(psycopg.Error) as failure:
            await connection.execute("COMMIT")
    assert refusals(failure.value) == (Unavailable, Unavailable)
    await run(pool, "SELECT 1")


async def test_a_busy_pool_refuses_soon(pool: Pool) -> None:
    """A request could wait for a free connection past its deadline."""
    occupied, release = asyncio.Barrier(SIZE + 1), asyncio.Event()

    async def occupy() -> None:
        async with pool.connection():
            await occupied.wait()
            await release.wait()

    occupiers = [asyncio.create_task(occupy()) for _ in range(SIZE)]
    await occupied.wait()
    error = await failing(pool, "SELECT 1")
    release.set()
    await asyncio.gather(*occupiers)
    assert refusals(error) == (Unavailable, Unavailable)


async def test_a_full_queue_for_connections_refuses_at_once(database: Database) -> None:
    """The queue for a connection could grow without limit."""
    async with open_pool(database.bookings_dsn, schema="bookings", size=1) as pool:
        async with pool.connection():
            crowd = await asyncio.gather(
                *(run(pool, "SELECT 1") for _ in range(70)), return_exceptions=True
            )
        refused = [error for error in crowd if type(error).__name__ == "TooManyRequests"]
        assert len(refused) == 70 - 64
        assert refusals(refused[0]) == (Unavailable, Unavailable)  # type: ignore[arg-type]


async def test_a_closed_pool_is_certainly_not_done(database: Database) -> None:
    """A call during the stop of a replica could be left in doubt, and not be repeated."""
    async with open_pool(database.bookings_dsn, schema="bookings", size=1) as pool:
        pass
    assert refusals(await failing(pool, "SELECT 1")) == (Unavailable, Unavailable)


async def test_one_check_replaces_all_lost_connections(
    pool: Pool, owner: psycopg.AsyncConnection
) -> None:
    """After a restart of PostgreSQL each lost connection could fail a request."""
    async with asyncio.TaskGroup() as group:
        for _ in range(SIZE):
            group.create_task(run(pool, "SELECT pg_sleep(0.02)"))
    await owner.execute(TERMINATE.encode())
    assert await is_reachable(pool) is False
    await asyncio.gather(*(run(pool, "SELECT 1") for _ in range(SIZE * 4)))
    assert await is_reachable(pool) is True


async def test_without_a_check_each_lost_connection_fails_one_caller_at_most(
    pool: Pool, owner: psycopg.AsyncConnection
) -> None:
    """A service could need a restart after one of PostgreSQL."""
    async with asyncio.TaskGroup() as group:
        for _ in range(SIZE):
            group.create_task(run(pool, "SELECT pg_sleep(0.02)"))
    await owner.execute(TERMINATE.encode())
    outcomes = await asyncio.gather(
        *(run(pool, "SELECT 1") for _ in range(SIZE * 4)), return_exceptions=True
    )
    assert sum(outcome is not None for outcome in outcomes) <= SIZE


async def test_a_missing_database_is_unreachable(database: Database) -> None:
    """The health check could hang, or end with an error, while the database is away."""
    nowhere = f"{database.bookings_dsn} host=/nonexistent"
    async with open_pool(nowhere, schema="bookings", size=1) as pool:
        assert await is_reachable(pool) is False


async def test_a_database_that_starts_late_is_waited_for(
    database: Database, tmp_path: Path
) -> None:
    """A service that starts before its database could fail, since the pool has given up."""
    known = conninfo_to_dict(database.bookings_dsn)
    socket = f".s.PGSQL.{known['port']}"
    late = make_conninfo(database.bookings_dsn, host=str(tmp_path))
    async with open_pool(late, schema="bookings", size=1) as pool:
        await wait_until_reachable(pool, seconds=0.2)
        waiting = asyncio.create_task(wait_until_reachable(pool))
        assert await is_reachable(pool) is False
        assert not waiting.done()
        (tmp_path / socket).symlink_to(Path(str(known["host"])) / socket)
        await waiting
        assert await is_reachable(pool) is True


async def test_connections_see_their_own_schema_in_utc(pool: Pool) -> None:
    """A statement could use another schema, or a day begin at the server's midnight."""
    async with pool.connection() as connection:
        cursor = await connection.execute("""
            SELECT
                current_schema,
                current_setting('timezone'),
                current_setting('statement_timeout')
        """)
        assert await cursor.fetchone() == ("bookings", "UTC", "2s")
