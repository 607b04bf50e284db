"""Tails of the ledger that read on beside a test."""

import contextlib
from collections.abc import AsyncIterator

from services.bookings.tail import LedgerTail
from services.kit.process.workers import repeat, running
from tests.conftest import Database
from tests.pools import patient_pool


@contextlib.asynccontextmanager
async def following(
    database: Database, tail: type[LedgerTail] = LedgerTail
) -> AsyncIterator[LedgerTail]:
    """Opens a tail with a connection of its own, as a process has it."""
    async with patient_pool(database.bookings_dsn, schema="bookings", size=1) as pool:
        opened = tail(pool)
        async with running(repeat(opened.follow, every_seconds=0.1)):
            yield opened
