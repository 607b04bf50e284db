"""Events for interleavings, and the work of their sessions."""

import itertools
from typing import Any
from uuid import UUID

import psycopg

from boxoffice.bookings.v1.bookings_pb2 import CancelBookingByReferenceResponse
from services.bookings.access import Viewer
from services.bookings.inventory import EventState, Inventory
from services.bookings.inventory.commands import Booked
from services.bookings.reservations import reservations
from services.bookings.reservations.cancellations import Cancellation, Cancellations
from services.kit.auth.authentication import SERVICE
from services.kit.database.postgres import Pool
from tests.faults.interleaving import Session, Work
from tests.services.bookings.asking import response_to

CAPACITY = 2
ANYBODY = Viewer(SERVICE, open_access=False)

_numbers = itertools.count(1)


def concert(event_id: int, rev: int, capacity: int, **changes: Any) -> EventState:
    """Returns the state of an event that can be booked, except for the changes."""
    return EventState(
        event_id, rev, "Concert", capacity, changes.pop("status", "PUBLISHED"), **changes
    )


def applying(state: EventState) -> Work:
    """Returns work that applies a state of the catalogue."""
    return lambda session: Inventory(session.pool("bookings")).apply(state)


def reserving(event_id: int, user_id: str = "ada") -> Work:
    """Returns work that reserves a seat."""

    async def reserve(session: Session) -> object:
        inventory = Inventory(session.pool("bookings"))
        [outcome] = await inventory.decide([reservations.reserve(event_id, user_id, ANYBODY)])
        return outcome

    return reserve


def cancelling(booking_id: int) -> Work:
    """Returns work that cancels a booking."""

    async def cancel(session: Session) -> object:
        pool = session.pool("bookings")
        return await Cancellations(pool, Inventory(pool)).cancel(booking_id)

    return cancel


def returning(reference: UUID, key: str = "") -> Work:
    """Returns work that cancels a booking by its reference; it returns response or refusal."""

    async def cancel(session: Session) -> object:
        pool = session.pool("bookings")
        inventory = Inventory(pool)
        cancellation = Cancellation(reference, ANYBODY, key)
        [ask] = await Cancellations(pool, inventory).asks_of([cancellation])
        return await response_to(inventory, ask, CancelBookingByReferenceResponse)

    return cancel


async def book(pool: Pool, event_id: int, seats: int) -> list[int]:
    """Books seats, each for another user; returns the ids of the bookings."""
    asks = [reservations.reserve(event_id, f"early-{number}", ANYBODY) for number in range(seats)]
    made = await Inventory(pool).decide(asks)
    return [one.booking.id for one in made if isinstance(one, Booked)]


class EventsFixture:
    """Creates an event for each interleaving, and reads the inventory of the last one."""

    def __init__(self, owner: psycopg.Connection[Any], pool: Pool) -> None:
        self._owner = owner
        self._pool = pool
        self.event_id = 0
        self.booking_ids: list[int] = []

    async def create(self, *, capacity: int = CAPACITY, booked: int = 0) -> int:
        """Creates an event with some seats booked; returns its id."""
        number = self.new_id()
        await Inventory(self._pool).apply(concert(number, 1, capacity))
        self.booking_ids = await book(self._pool, number, booked)
        return number

    async def create_with_party(self, seats: int, *, capacity: int) -> UUID:
        """Creates an event with one booking of several seats; returns its reference."""
        number = await self.create(capacity=capacity)
        party = reservations.create(number, "party", seats, ANYBODY)
        [made] = await Inventory(self._pool).decide([party])
        assert isinstance(made, Booked)
        return made.booking.reference

    def new_id(self) -> int:
        """Returns the id of an event that bookings does not know yet."""
        self.event_id = next(_numbers)
        return self.event_id

    def in_force(self) -> tuple[int, int, str, bool]:
        """Returns capacity, seats taken, status and whether the event is closed."""
        row = self._owner.execute(
            "SELECT capacity, sold + held, status, closed_at IS NOT NULL FROM inventory"
            " WHERE event_id = %s",
            [self.event_id],
        ).fetchone()
        assert row is not None
        capacity, taken, status, is_closed = row
        return capacity, taken, status, is_closed

    def live_bookings(self) -> int:
        """Counts the bookings that are held or confirmed."""
        row = self._owner.execute(
            "SELECT count(*) FROM booking_details"
            " WHERE event_id = %s AND status IN ('HELD', 'CONFIRMED')",
            [self.event_id],
        ).fetchone()
        assert row is not None
        return int(row[0])


def reserved(outcome: object) -> bool:
    """Returns whether a seat was booked."""
    return isinstance(outcome, Booked)
