"""Keeps revisions unique when the database was restored from a backup.

Clients know revisions that the backup does not have. Without this those would be given again.
"""

import structlog

from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
RAISED_AT_ONCE = 100

log = structlog.get_logger()


class Restores:
    """Notices that the database was restored, and raises the revisions of all inventories."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def raise_revisions(self) -> bool:
        """Raises the revisions of a chunk of events; returns whether there may be more.

        Replicas may do so at once. An event that is locked is left for the next time.
        """
        async with self._pool.connection() as connection:
            found = await (await connection.execute(SQL["count_restores"])).fetchone()
            restores = found[0] if found else 0
            if not restores:
                return False
            values = {"restores": restores, "chunk": RAISED_AT_ONCE}
            lagging = await (await connection.execute(SQL["lagging_events"], values)).fetchall()
            async with connection.transaction():
                raised = 0
                for (event_id,) in lagging:
                    asked = values | {"event_id": event_id}
                    raised += (await connection.execute(SQL["raise_revision"], asked)).rowcount
        if raised:
            log.warning("the database was restored", restores=restores, raised=raised)
        return raised > 0 and len(lagging) == RAISED_AT_ONCE
