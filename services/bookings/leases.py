"""Leases: each worker takes other rows that are due, and does their work without a lock.

A lease moves the due time of a row ahead. Until then no other worker gets the row, and then it is
due again, unless its work was done meanwhile.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from psycopg.rows import class_row

from services.kit.database.postgres import Connection, Pool

FOUND_AT_LEAST = 20
"""Other workers may take the first ones at this moment."""

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Leases(Generic[RowT]):
    """The statements that lease rows of events.

    `find` lists the events of the first rows that are due, up to `limit` of them, without a lock.
    `lease` leases up to `limit` rows of the event `event_id` and returns them as `row`: a
    distributed database locks rows of one event only. Without `find` rows belong to no event. What
    is due is compared with `now()`: by `clock_timestamp()` no index finds it.
    """

    row: type[RowT]
    lease: bytes
    find: bytes | None = None

    async def take(self, pool: Pool, *, limit: int = 1, **values: object) -> list[RowT]:
        """Leases up to `limit` rows; `values` are further parameters of both statements."""
        leased: list[RowT] = []
        async with pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(self.row))
            for event_id in await self._events(connection, limit, values):
                asked = {**values, "event_id": event_id, "limit": limit - len(leased)}
                leased += await (await cursor.execute(self.lease, asked)).fetchall()
                if len(leased) == limit:
                    break
        return leased

    async def _events(
        self, connection: Connection, limit: int, values: dict[str, object]
    ) -> Iterable[int | None]:
        """Finds the events that have rows due, each once."""
        if self.find is None:
            return [None]
        asked = {**values, "limit": max(limit, FOUND_AT_LEAST)}
        rows = await (await connection.execute(self.find, asked)).fetchall()
        return dict.fromkeys(event_id for (event_id,) in rows)
