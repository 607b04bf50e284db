"""The feed over the real inventory, moved forward when a test says so."""

import pytest

from services.bookings.feed.changes import Changes
from services.bookings.feed.tail import Tail
from services.kit.database.postgres import Pool


@pytest.fixture
def tail(pool: Pool) -> Tail:
    """Returns the tail."""
    return Tail(pool)


@pytest.fixture
def changes(pool: Pool) -> Changes:
    """Returns the reader."""
    return Changes(pool)
