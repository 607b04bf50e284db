"""Reading the feed where events lie on several nodes."""

import contextlib
from collections.abc import AsyncIterator

from services.bookings.feed.changes import Changes
from services.bookings.lookups import by_keys
from services.kit.database.postgres import Connection


class DistributedChanges(Changes):
    """Reads the feed."""

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[Connection]:
        """See Changes."""
        async with self._pool.connection() as connection, by_keys(connection):
            yield connection
