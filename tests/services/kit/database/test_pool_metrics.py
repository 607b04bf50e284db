import asyncio

import pytest
from prometheus_client import CollectorRegistry
from psycopg_pool import PoolTimeout

from services.kit.database.pool_metrics import exposed
from services.kit.database.postgres import open_pool
from tests.conftest import Database


async def test_a_pool_that_is_too_small_shows(database: Database) -> None:
    """Requests could wait for connections, and be refused, without anybody seeing why."""
    registry = CollectorRegistry()

    def value(metric: str) -> float | None:
        return registry.get_sample_value(f"boxoffice_pool_{metric}", {"pool": "small"})

    pool = open_pool(database.owner_dsn, schema="bookings", size=1, name="small")
    async with pool:
        await pool.wait()
        with exposed([pool], registry):
            async with pool.connection():
                waiting = asyncio.create_task(pool.getconn(timeout=60))
                while value("waiting") != 1:  # noqa: ASYNC110 - the pool does not notify
                    await asyncio.sleep(0.01)
                assert (value("connections"), value("idle_connections")) == (1, 0)
                with pytest.raises(PoolTimeout):
                    await pool.getconn(timeout=0.01)
            await pool.putconn(await waiting)
            assert value("errors_total") == 1
            assert (value("wait_seconds_total") or 0) > 0
        assert value("connections") is None
