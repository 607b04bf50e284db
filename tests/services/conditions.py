"""Waiting for what nothing announces."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg

PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.005


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Returns as soon as the condition holds; raises TimeoutError if it never does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(_PAUSE_SECONDS)


async def until_blocked(connection: psycopg.AsyncConnection, waiters: int) -> None:
    """Returns when as many sessions of this database, or more, wait for a lock."""

    async def are_blocked() -> bool:
        # Inside of a transaction the server would show the sessions of the first look for ever.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        cursor = await connection.execute("""
            SELECT count(*)
            FROM pg_stat_activity
            WHERE datname = current_database()
                AND wait_event_type = 'Lock'
        """)
        row = await cursor.fetchone()
        return row is not None and row[0] >= waiters

    await until(are_blocked)
