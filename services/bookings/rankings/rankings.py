"""Ranks users by their bookings.

A worker adds the ledger to tallies; a query adds the rest of the ledger to the tallies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import ValidationFailed, Violation

MOST = 10
ROLL_UP_CHUNK = 5_000
ALL_TIME = date(1, 1, 1)


@dataclass(frozen=True, slots=True)
class TopUser:
    """A user, their rank from 1 (equal users share a rank), and their number of live bookings."""

    place: int
    user_id: str
    bookings_count: int


def load(untallied: bytes) -> Mapping[str, bytes]:
    """Loads the statements; `untallied` selects who gained or lost bookings since the roll-up."""
    return queries.load(__file__, untallied=untallied.decode())


SQL = load(queries.load(__file__)["untallied"])


class Rankings:
    """Ranks users by their live bookings.

    `roll_up_chunk` is about how many rows of the ledger a roll-up adds to the tallies.
    """

    EVERY_SECONDS: ClassVar[float] = 1
    TOP_USERS: ClassVar[bytes] = SQL["list_top_users"]

    def __init__(self, pool: Pool, *, roll_up_chunk: int = ROLL_UP_CHUNK) -> None:
        self._pool = pool
        self._roll_up_chunk = roll_up_chunk

    async def list_top_users(
        self, period: str, day: str, *, with_accounts: bool = True
    ) -> list[TopUser]:
        """Lists at most ten users; users with an account only if `with_accounts`.

        `period` is day, week, month or "" for all time; `day` is an ISO date within it, "" for
        today (UTC). Raises ValidationFailed for a date that does not exist.
        """
        values = {
            "period": period or "all",
            "starts_on": first_day(period, day),
            "with_accounts": with_accounts,
            "most": MOST,
        }
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(TopUser))
            untallied = await self._untallied(connection)
            await cursor.execute(self.TOP_USERS, values | untallied)
            return await cursor.fetchall()

    async def roll_up(self) -> bool:
        """Adds a chunk of the ledger to the tallies; returns whether there may be more.

        Leaves less than a chunk for later; otherwise it would run all the time during a sale.
        """
        async with self._pool.connection() as connection:
            rolled = await connection.execute(SQL["roll_up"], {"chunk": self._roll_up_chunk})
            [rows] = await rolled.fetchone() or (0,)
            return bool(rows == self._roll_up_chunk)

    async def _untallied(self, _: Connection) -> dict[str, object]:
        """Returns what TOP_USERS has to be given of the ledger; it reads that itself."""
        return {}


def first_day(period: str, day: str) -> date:
    """Returns the first day of the period that contains a day; year 1 for all time."""
    try:
        within = date.fromisoformat(day) if day else datetime.now(UTC).date()
    except ValueError as error:
        raise ValidationFailed(
            violations=[Violation("date", "must be a day that the calendar has")]
        ) from error
    match period:
        case "day":
            return within
        case "week":
            return within - timedelta(days=within.weekday())
        case "month":
            return within.replace(day=1)
        case _:
            return ALL_TIME
