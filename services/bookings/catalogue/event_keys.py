"""Events by their keys, the names that clients give them."""

from collections.abc import Collection

from services.bookings.catalogue.read_through import Catalogue
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal, Unavailable

SQL = queries.load(__file__)


class EventKeys:
    """Finds events by their keys. Asks the catalogue about those that are not known here yet."""

    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        self._pool = pool
        self._catalogue = catalogue

    async def find_all(self, keys: Collection[str]) -> dict[str, int | Refusal]:
        """Returns the number of each key's event, or what `find` would raise."""
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
        if not keys:
            return {}
        async with self._pool.connection() as connection:
            rows = await connection.execute(SQL["find_events"], {"keys": list(keys)})
            return dict(await rows.fetchall())
