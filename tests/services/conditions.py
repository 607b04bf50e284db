"""Waits for conditions in other processes, which set no event."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg

from tests import citus

PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.005
_BLOCKED = """
    SELECT count(*)
    FROM pg_stat_activity
    WHERE datname = current_database()
        AND wait_event_type = 'Lock'
"""


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Returns as soon as the condition holds; raises TimeoutError if it never does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(_PAUSE_SECONDS)


async def until_blocked(connection: psycopg.AsyncConnection, waiters: int) -> None:
    """Waits until at least so many sessions of this database wait for a lock."""

    async def are_blocked() -> bool:
        # Otherwise the server would show the same snapshot for the whole transaction.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        cursor = await connection.execute(citus.on_all_nodes(_BLOCKED))
        row = await cursor.fetchone()
        return row is not None and row[0] >= waiters

    await until(are_blocked)
