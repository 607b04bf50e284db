"""Fixtures of a running bookings."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import Database
from tests.services.bookings.serving import Running, bookings_serving


@pytest.fixture
async def running(database: Database) -> AsyncIterator[Running]:
    """Serves bookings with open access."""
    async with bookings_serving(database) as served:
        yield served
