"""Events by their keys, the names that clients give them."""

from collections.abc import Collection

from services.bookings.catalogue.read_through import Catalogue
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal, Unavailable

SQL = queries.load(__file__)


class Keys:
    """Finds the numbers of events. Uses the catalogue for those that are not known here yet."""

    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        self._pool = pool
        self._catalogue = catalogue

    async def event_ids(self, keys: Collection[str]) -> dict[str, int | Refusal]:
        """Finds the number of each key's event, or tells why it cannot."""
        found: dict[str, int | Refusal] = {**await self._known(keys)}
        unknown = {key for key in keys if key not in found}
        if unknown:
            found |= await self._catalogue.learn(unknown)
            found |= await self._known(unknown - found.keys())
        return {key: found.get(key) or Unavailable() for key in keys}

    async def event_id(self, key: str) -> int:
        """Finds the number of one event; raises EventNotFound, or Unavailable."""
        found = (await self.event_ids([key]))[key]
        if isinstance(found, Refusal):
            raise found
        return found

    async def _known(self, keys: Collection[str]) -> dict[str, int]:
        if not keys:
            return {}
        async with self._pool.connection() as connection:
            rows = await connection.execute(SQL["find_events"], {"keys": list(keys)})
            return dict(await rows.fetchall())
