"""Who booked most: tallies that a worker rolls up from the ledger, and what is younger still."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import ValidationFailed, Violation

SQL = queries.load(__file__)
MOST = 10
ROLL_UP_CHUNK = 5_000
ALL_TIME = date(1, 1, 1)


@dataclass(frozen=True, slots=True)
class TopUser:
    """A user's place, from 1 on and shared by equals, and the live bookings they made."""

    place: int
    user_id: str
    bookings_count: int


class Rankings:
    """Ranks users by their live bookings.

    `roll_up_chunk` is about how many rows of the ledger are added to the tallies at once.
    """

    def __init__(self, pool: Pool, *, roll_up_chunk: int = ROLL_UP_CHUNK) -> None:
        self._pool = pool
        self._roll_up_chunk = roll_up_chunk

    async def list_top_users(
        self, period: str, day: str, *, with_accounts: bool = True
    ) -> list[TopUser]:
        """Lists at most ten users, those who have an account only `with_accounts`.

        `period` is day, week, month or "" for all time; `day` is an ISO date within it, "" for
        today (UTC). Raises ValidationFailed for a day that the calendar does not have.
        """
        values = {
            "period": period or "all",
            "starts_on": first_day(period, day),
            "with_accounts": with_accounts,
            "most": MOST,
        }
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(TopUser))
            await cursor.execute(SQL["list_top_users"], values)
            return await cursor.fetchall()

    async def roll_up(self) -> bool:
        """Adds a chunk of the ledger to the tallies; tells whether there may be more.

        What is less than a chunk waits for company, as a sale would have it roll up all the time.
        """
        async with self._pool.connection() as connection:
            rolled = await connection.execute(SQL["roll_up"], {"chunk": self._roll_up_chunk})
            [rows] = await rolled.fetchone() or (0,)
            return bool(rows == self._roll_up_chunk)


def first_day(period: str, day: str) -> date:
    """Gives the first day of the period around a day; the year 1 for all time."""
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
