"""Seat plans of rooms. A plan never changes, so it is fetched once and kept for ever."""

import asyncio
from collections.abc import Awaitable, Callable

from services.bookings.catalogue import messages
from services.bookings.seating.choosing import Wish, choose
from services.bookings.seating.plan import Plan
from services.kit.concurrency.single_flight import SingleFlight
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
GROUP_SIZES = range(1, 21)
"""Group sizes for which a plan is prepared: no request is for more seats."""

Fetch = Callable[[int], Awaitable[bytes]]


class Plans:
    """Keeps plans in memory and in the database; fetches missing ones.

    `fetch` gets a serialized plan from events; it raises a Refusal if events does not have the plan
    or does not answer.
    """

    def __init__(self, pool: Pool, fetch: Fetch) -> None:
        self._pool = pool
        self._fetch = fetch
        self._loaded: dict[int, Plan] = {}
        self._find_once = SingleFlight(self._find)

    def loaded(self, plan_id: int) -> Plan | None:
        """Returns a plan if it is in memory."""
        return self._loaded.get(plan_id)

    async def load(self, plan_id: int) -> Plan:
        """Returns a plan, loading it first if needed; raises psycopg.Error and what `fetch` raises.

        May take a second for a large plan. Do not call it within a transaction.
        """
        return self._loaded.get(plan_id) or await self._find_once(plan_id)

    async def _find(self, plan_id: int) -> Plan:
        serialized = await self._stored(plan_id)
        if serialized is None:
            serialized = await self._fetch(plan_id)
            await self._store(plan_id, serialized)
        plan = await asyncio.to_thread(_prepared, serialized)
        self._loaded[plan_id] = plan
        return plan

    async def _stored(self, plan_id: int) -> bytes | None:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(SQL["get_plan"], {"plan_id": plan_id})
            row = await cursor.fetchone()
        return row[0] if row else None

    async def _store(self, plan_id: int, serialized: bytes) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(SQL["add_plan"], {"plan_id": plan_id, "plan": serialized})


def _prepared(serialized: bytes) -> Plan:
    """Parses a plan, and precomputes its data for choosing seats."""
    plan = messages.seat_plan(serialized)
    for size in GROUP_SIZES:
        for kind in plan.of_type:
            choose(plan, plan.every_seat, Wish(size, kind))
    return plan
