"""Looking up many rows by their keys, on each node where they lie on several."""

import contextlib
from collections.abc import AsyncIterator

from services.kit.database import queries
from services.kit.database.postgres import Connection

SQL = queries.load(__file__)


@contextlib.asynccontextmanager
async def by_keys(connection: Connection) -> AsyncIterator[None]:
    """Has statements in the block look rows up by indexes, on each node. It is a transaction."""
    async with connection.transaction():
        await connection.execute(SQL["by_keys"], prepare=False)
        yield
