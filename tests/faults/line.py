"""People in line for an event, and what sessions do there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import GiveBack, Outcome
from services.bookings.waiting_list import booking
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.faults.interleaving import Work
from tests.faults.stage import ANYBODY, Stage, applying, concert
from tests.services.bookings.conftest import clock_forward

PRICED: dict[str, Any] = {"price_amount_minor": 1000, "price_currency": "EUR"}
TWO_HOURS = 2 * 3600 + 1
Owner = psycopg.Connection[Any]


def ticket(event_id: int, user_id: str) -> Work:
    """Asks for a ticket."""
    return lambda session: book(session.pool("bookings"), event_id, user_id)


def giving_back(event_id: int, user_id: str) -> Work:
    """Gives a ticket back, or leaves the list."""
    return lambda session: give_back(session.pool("bookings"), event_id, user_id)


def sweeping() -> Work:
    """Sweeps once."""
    return lambda session: Inventory(session.pool("bookings")).sweep()


def growing(event_id: int, capacity: int, *, rev: int = 2) -> Work:
    """Adds seats."""
    return applying(concert(event_id, rev, capacity, key=key_of(event_id)))


async def book(pool: Pool, event_id: int, user_id: str) -> Outcome:
    """Asks for a ticket."""
    event = key_of(event_id), event_id
    [outcome] = await Inventory(pool).decide([booking.book(event, user_id, 1, ANYBODY)])
    return outcome


async def give_back(pool: Pool, event_id: int, user_id: str) -> Outcome:
    """Gives a ticket back, or leaves the list."""
    [outcome] = await Inventory(pool).decide([Ask(GiveBack(event_id, user_id, ANYBODY))])
    return outcome


def key_of(event_id: int) -> str:
    """Gives the key of an event."""
    return f"event-{event_id}"


class Line:
    """Makes events with people in line, and tells what is true of them in the end."""

    def __init__(self, stage: Stage, owner: Owner, pool: Pool, database: Database) -> None:
        self.stage = stage
        self.owner = owner
        self.pool = pool
        self.database = database

    async def open(self, *users: str, capacity: int = 1, **changes: Any) -> int:
        """Makes an event for which these users ask in their order, at the time that it is."""
        self.forward(0)
        number = self.stage.number()
        state = concert(number, 1, capacity, key=key_of(number), **changes)
        await Inventory(self.pool).apply(state)
        for user in users:
            await book(self.pool, number, user)
        return number

    async def open_with_an_offer(self, *others: str) -> int:
        """Makes an event whose only seat is offered to the first user; the others wait."""
        number = await self.open("holder", "first", *others, **PRICED)
        await self.give_back("holder")
        return number

    async def open_with_a_free_seat(self, *users: str) -> int:
        """Makes an event whose only seat came free while it was off sale, so all still wait."""
        number = await self.open("holder", *users)
        paused = concert(
            number, 2, 1, key=key_of(number), sales_open_at=datetime.now(UTC) + timedelta(hours=1)
        )
        await Inventory(self.pool).apply(paused)
        await self.give_back("holder")
        self.forward(TWO_HOURS)
        return number

    async def give_back(self, user_id: str) -> None:
        """Gives a ticket back."""
        await give_back(self.pool, self.stage.event_id, user_id)

    def forward(self, seconds: float) -> None:
        """Puts the clock forward."""
        clock_forward(self.database, seconds=seconds)

    def states(self) -> dict[str, str]:
        """Tells the state of each user's last entry."""
        rows = self.owner.execute(
            "SELECT user_id, state FROM waiting_list WHERE event_id = %s ORDER BY place",
            [self.stage.event_id],
        )
        return dict(rows.fetchall())

    def live(self) -> set[str]:
        """Tells who has a live booking."""
        rows = self.owner.execute(
            "SELECT user_id FROM booking_details"
            " WHERE event_id = %s AND status IN ('HELD', 'CONFIRMED')",
            [self.stage.event_id],
        )
        return {user for (user,) in rows.fetchall()}

    def expect_at_rest(self) -> None:
        """Fails if seats are free while somebody waits, or more are taken than there are."""
        capacity, taken, *_ = self.stage.in_force()
        assert taken <= capacity
        assert taken == len(self.live())
        waits = "WAITING" in self.states().values()
        assert not (waits and taken < capacity), "a seat is free and somebody waits"
