"""The feed over the real inventory, moved forward when a test says so."""

import pytest

from services.bookings.feed.changes import Changes
from services.bookings.feed.tail import Tail
from services.kit.database.postgres import Pool
from tests.services.bookings.tails import FEED_TAILS


@pytest.fixture
def kind() -> type[Tail]:
    """Returns the kind of tail."""
    return FEED_TAILS[0]


@pytest.fixture
def tail(kind: type[Tail], pool: Pool) -> Tail:
    """Returns the tail."""
    return kind(pool)


@pytest.fixture
def changes(pool: Pool) -> Changes:
    """Returns the reader."""
    return Changes(pool)
