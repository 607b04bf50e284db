"""Fixtures of the rankings."""

from collections import Counter
from collections.abc import Iterable
from typing import cast

import psycopg
import pytest

from services.bookings.inventory import Inventory
from services.bookings.inventory.changes import Booking
from services.bookings.rankings.distributed import DistributedRankings
from services.bookings.rankings.rankings import Rankings
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests import citus
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert

RANKINGS: list[type[Rankings]] = (
    [DistributedRankings] if citus.URL else [Rankings, DistributedRankings]
)
"""Those that this database can have."""
PERIODS = ["", "day", "week", "month"]


@pytest.fixture(params=RANKINGS)
def rankings(request: pytest.FixtureRequest, pool: Pool) -> Rankings:
    """Returns each kind of rankings, rolled up in small chunks."""
    return cast("Rankings", request.param(pool, roll_up_chunk=5))


async def book(inventory: Inventory, reservations: Reservations, counts: dict[str, int]) -> None:
    """Books the given number of events for each user."""
    for event_id in range(1, max(counts.values()) + 1):
        await inventory.apply(concert(event_id))
        asked = [seat(event_id, user) for user, count in counts.items() if count >= event_id]
        await booked(reservations, asked)


async def book_in(
    reservations: Reservations, inventory: Inventory, *, event_id: int, users: Iterable[str]
) -> list[Booking]:
    """Books a seat of a new event for each user."""
    await inventory.apply(concert(event_id))
    return await booked(reservations, [seat(event_id, user) for user in users])


async def top(rankings: Rankings, period: str = "", day: str = "") -> list[tuple[int, str, int]]:
    """Lists the top users for comparison."""
    listed = await rankings.list_top_users(period, day)
    return [(user.place, user.user_id, user.bookings_count) for user in listed]


async def roll_up(rankings: Rankings) -> None:
    """Rolls up the whole ledger."""
    while await rankings.roll_up():
        pass


def tallies(database: Database) -> Counter[str]:
    """Reads the tallies of all time."""
    with psycopg.connect(database.owner_dsn) as connection:
        counted = "SELECT user_id, sum(bookings) FROM bookings.tallies GROUP BY user_id"
        return Counter(dict(connection.execute(counted).fetchall()))
