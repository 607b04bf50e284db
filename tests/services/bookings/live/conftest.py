"""Watches of events over the real inventory."""

from collections.abc import AsyncIterator

import pytest

from services.bookings.live.live import Live
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.tails import TAILS, following


@pytest.fixture
async def live(database: Database, pool: Pool) -> AsyncIterator[Live]:
    """Returns watches with a tail that reads on."""
    async with following(database, TAILS[0]) as tail:
        yield Live(pool, tail)
