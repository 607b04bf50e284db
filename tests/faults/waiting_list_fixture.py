"""Events with a waiting list for interleavings, and the work of their sessions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import Outcome, Withdraw
from services.bookings.waiting_list import booking
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.faults.events_fixture import ANYBODY, EventsFixture, applying, concert
from tests.faults.interleaving import Work
from tests.services.bookings.conftest import clock_forward

PRICED: dict[str, Any] = {"price_amount_minor": 1000, "price_currency": "EUR"}
TWO_HOURS = 2 * 3600 + 1
Owner = psycopg.Connection[Any]


def ticket(event_id: int, user_id: str) -> Work:
    """Returns work that books a seat, or waits for one."""
    return lambda session: book(session.pool("bookings"), event_id, user_id)


def giving_back(event_id: int, user_id: str) -> Work:
    """Returns work that gives a seat back, or leaves the list."""
    return lambda session: withdraw(session.pool("bookings"), event_id, user_id)


def sweeping() -> Work:
    """Returns work that runs the sweeper once."""
    return lambda session: Inventory(session.pool("bookings")).sweep()


def growing(event_id: int, capacity: int, *, rev: int = 2) -> Work:
    """Returns work that raises the capacity."""
    return applying(concert(event_id, rev, capacity, key=key_of(event_id)))


async def book(pool: Pool, event_id: int, user_id: str) -> Outcome:
    """Books a seat, or waits for one."""
    event = key_of(event_id), event_id
    [outcome] = await Inventory(pool).decide([booking.book(event, user_id, 1, ANYBODY)])
    return outcome


async def withdraw(pool: Pool, event_id: int, user_id: str) -> Outcome:
    """Cancels the booking of a user, or takes them off the list."""
    [outcome] = await Inventory(pool).decide([Ask(Withdraw(event_id, user_id, ANYBODY))])
    return outcome


def key_of(event_id: int) -> str:
    """Returns the key of an event."""
    return f"event-{event_id}"


class WaitingListFixture:
    """Creates events with users who wait, and reads and checks the state of the last one."""

    def __init__(self, events: EventsFixture, owner: Owner, pool: Pool, database: Database) -> None:
        self.events = events
        self.owner = owner
        self.pool = pool
        self.database = database

    async def create_event(self, *users: str, capacity: int = 1, **changes: Any) -> int:
        """Creates an event that these users ask for, in this order and now; returns its id."""
        self.forward(0)
        number = self.events.new_id()
        state = concert(number, 1, capacity, key=key_of(number), **changes)
        await Inventory(self.pool).apply(state)
        for user in users:
            await book(self.pool, number, user)
        return number

    async def create_with_an_offer(self, *others: str) -> int:
        """Creates an event whose only seat is offered to the first user; the others wait."""
        number = await self.create_event("holder", "first", *others, **PRICED)
        await self.withdraw("holder")
        return number

    async def create_with_a_free_seat(self, *users: str) -> int:
        """Creates an event whose only seat came free while it was off sale, so all still wait."""
        number = await self.create_event("holder", *users)
        paused = concert(
            number, 2, 1, key=key_of(number), sales_open_at=datetime.now(UTC) + timedelta(hours=1)
        )
        await Inventory(self.pool).apply(paused)
        await self.withdraw("holder")
        self.forward(TWO_HOURS)
        return number

    async def withdraw(self, user_id: str) -> None:
        """Cancels the booking of a user of the last event."""
        await withdraw(self.pool, self.events.event_id, user_id)

    def forward(self, seconds: float) -> None:
        """Moves the database's clock forward, counted from now."""
        clock_forward(self.database, seconds=seconds)

    def states(self) -> dict[str, str]:
        """Returns the state of each user's last entry in the list."""
        rows = self.owner.execute(
            "SELECT user_id, state FROM waiting_list WHERE event_id = %s ORDER BY place",
            [self.events.event_id],
        )
        return dict(rows.fetchall())

    def holders(self) -> set[str]:
        """Returns the users with a held or confirmed booking."""
        rows = self.owner.execute(
            "SELECT user_id FROM booking_details"
            " WHERE event_id = %s AND status IN ('HELD', 'CONFIRMED')",
            [self.events.event_id],
        )
        return {user for (user,) in rows.fetchall()}

    def check_settled(self) -> None:
        """Fails if seats are free while somebody waits, or more are taken than there are."""
        capacity, taken, *_ = self.events.in_force()
        assert taken <= capacity
        assert taken == len(self.holders())
        waits = "WAITING" in self.states().values()
        assert not (waits and taken < capacity), "a seat is free and somebody waits"
