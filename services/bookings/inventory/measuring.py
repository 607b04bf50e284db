"""Measures what an operator must see of all events: frozen ones, and holds that ended long ago."""

from services.bookings import metrics
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)


class Measurements:
    """The state of all inventories, for metrics."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def measure(self) -> bool:
        """Sets the metrics; returns False, as the next measurement is not due yet."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(SQL["measure"])).fetchone()
        counters, catalogue, lag_seconds = row or (0, 0, 0.0)
        metrics.FROZEN.labels("counters").set(counters)
        metrics.FROZEN.labels("catalogue").set(catalogue)
        metrics.SWEEP_LAG_SECONDS.set(lag_seconds)
        return False
