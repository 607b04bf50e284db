"""Reference drivers: other ways to reserve, measured on the same server.

Ratios to them can be compared between machines.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import count

import psycopg

CONNECTIONS = 16
USERS = 100

TABLES = """
    DROP SCHEMA IF EXISTS reference CASCADE;
    CREATE SCHEMA reference;
    CREATE TABLE reference.events (id bigint PRIMARY KEY, capacity int, sold int)
        WITH (fillfactor = 50);
    CREATE TABLE reference.bookings (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id bigint NOT NULL,
        user_id text NOT NULL,
        UNIQUE (event_id, user_id)
    );
    INSERT INTO reference.events VALUES (1, 100000000, 0);
"""
ONE_STATEMENT = """
    WITH taken AS (
        UPDATE reference.events SET sold = sold + 1
        WHERE id = 1 AND sold < capacity
        RETURNING id
    )
    INSERT INTO reference.bookings (event_id, user_id)
    SELECT id, %s FROM taken
"""
COUNTED = """
    INSERT INTO reference.bookings (event_id, user_id)
    SELECT 1, %s
    WHERE (SELECT count(*) FROM reference.bookings WHERE event_id = 1) < 100000000
"""
SET_BASED = """
    WITH taken AS (
        UPDATE reference.events SET sold = sold + cardinality(%(users)s::text[])
        WHERE id = 1 AND sold + cardinality(%(users)s::text[]) <= capacity
        RETURNING id
    )
    INSERT INTO reference.bookings (event_id, user_id)
    SELECT taken.id, users.id FROM taken, unnest(%(users)s::text[]) AS users (id)
"""

Connection = psycopg.AsyncConnection[tuple[object, ...]]
Reserve = Callable[[Connection, int], Awaitable[int]]


async def one_statement(connection: Connection, number: int) -> int:
    """Updates one hot row, with a statement and a commit for each seat."""
    await connection.execute(ONE_STATEMENT, [f"user-{number}"])
    return 1


async def counted_under_a_lock(connection: Connection, number: int) -> int:
    """Counts the rows for each seat, under an advisory lock."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(1)")
        await connection.execute(COUNTED, [f"user-{number}"])
    return 1


async def set_based(connection: Connection, number: int) -> int:
    """Reserves a hundred seats with one statement and one commit."""
    users = [f"user-{number}-{user}" for user in range(USERS)]
    await connection.execute(SET_BASED, {"users": users})
    return USERS


async def measure(dsn: str, reserve: Reserve, *, seconds: float, connections: int) -> float:
    """Reserves for a time; returns seats per second."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as owner:
        await owner.execute(TABLES)
    numbers, started = count(), time.monotonic()

    async def reserve_on() -> int:
        taken = 0
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            while time.monotonic() < started + seconds:
                taken += await reserve(connection, next(numbers))
        return taken

    taken = await asyncio.gather(*(reserve_on() for _ in range(connections)))
    return sum(taken) / (time.monotonic() - started)
