"""Finds events by their keys, which clients choose."""

import time
from collections.abc import Callable, Collection

from cachetools import TTLCache

from services.bookings.catalogue.read_through import Catalogue
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal, Unavailable

SQL = queries.load(__file__)
KEPT = 10_000
KEPT_SECONDS = 1


class EventKeys:
    """Finds events by key; reads unknown ones from the catalogue.

    Found events are cached for a second, as measured by `timer`: the key of an event changes only
    when a catalogue is restored from a backup. So requests for a popular event wait for no query,
    and all requests of a batch share a transaction.
    """

    def __init__(
        self, pool: Pool, catalogue: Catalogue, *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._catalogue = catalogue
        self._kept: TTLCache[str, int] = TTLCache(KEPT, KEPT_SECONDS, timer)

    async def find_all(self, keys: Collection[str]) -> dict[str, int | Refusal]:
        """Returns the number of each key's event; returns refusals in place of raising."""
        found: dict[str, int | Refusal] = {**await self._known(keys)}
        unknown = {key for key in keys if key not in found}
        if unknown:
            found |= await self._catalogue.learn(unknown)
            found |= await self._known(unknown - found.keys())
        return {key: found.get(key) or Unavailable() for key in keys}

    async def find(self, key: str) -> int:
        """Returns the number of an event; raises EventNotFound, or Unavailable."""
        found = (await self.find_all([key]))[key]
        if isinstance(found, Refusal):
            raise found
        return found

    async def _known(self, keys: Collection[str]) -> dict[str, int]:
        known = {key: event_id for key in keys if (event_id := self._kept.get(key))}
        others = [key for key in keys if key not in known]
        if others:
            async with self._pool.connection() as connection:
                rows = await connection.execute(SQL["find_events"], {"keys": others})
                read: dict[str, int] = dict(await rows.fetchall())
            self._kept.update(read)
            known |= read
        return known
