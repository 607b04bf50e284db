"""Tails that read on beside a test."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from services.bookings.tail import Tail
from services.kit.database.postgres import Pool
from services.kit.process.workers import repeat, running
from tests.conftest import Database
from tests.pools import patient_pool

TailT = TypeVar("TailT", bound=Tail[Any, Any])


@contextlib.asynccontextmanager
async def following(database: Database, make: Callable[[Pool], TailT]) -> AsyncIterator[TailT]:
    """Opens a tail with a connection of its own, as a process has it."""
    async with patient_pool(database.bookings_dsn, schema="bookings", size=1) as pool:
        opened = make(pool)
        async with running(repeat(opened.follow, every_seconds=0.1)):
            yield opened
