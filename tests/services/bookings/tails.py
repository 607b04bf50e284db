"""Tails that read on beside a test."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from services.bookings.feed.distributed_tail import DistributedTail
from services.bookings.feed.tail import Tail as FeedTail
from services.bookings.tail import DistributedLedgerTail, LedgerTail, Tail
from services.kit.database.postgres import Pool
from services.kit.process.workers import repeat, running
from tests import citus
from tests.conftest import Database
from tests.pools import patient_pool

TAILS: list[type[LedgerTail]] = (
    [DistributedLedgerTail] if citus.URL else [LedgerTail, DistributedLedgerTail]
)
"""Those that read this database."""
FEED_TAILS: list[type[FeedTail]] = [DistributedTail] if citus.URL else [FeedTail, DistributedTail]
"""Those that can move the feed of this database."""
TailT = TypeVar("TailT", bound=Tail[Any, Any])


@contextlib.asynccontextmanager
async def following(database: Database, make: Callable[[Pool], TailT]) -> AsyncIterator[TailT]:
    """Opens a tail with a connection of its own, as a process has it."""
    async with patient_pool(database.bookings_dsn, schema="bookings", size=1) as pool:
        opened = make(pool)
        async with running(repeat(opened.follow, every_seconds=0.1)):
            yield opened
