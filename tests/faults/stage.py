"""Events to try all orders on, and what sessions do with them."""

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
    """Makes a state of an event that can be booked, unless the changes say otherwise."""
    return EventState(
        event_id, rev, "Concert", capacity, changes.pop("status", "PUBLISHED"), **changes
    )


def applying(state: EventState) -> Work:
    """Has a state arrive."""
    return lambda session: Inventory(session.pool("bookings")).apply(state)


def reserving(event_id: int, user_id: str = "ada") -> Work:
    """Reserves a seat."""

    async def reserve(session: Session) -> object:
        inventory = Inventory(session.pool("bookings"))
        [outcome] = await inventory.decide([reservations.reserve(event_id, user_id, ANYBODY)])
        return outcome

    return reserve


def cancelling(booking_id: int) -> Work:
    """Cancels a booking."""

    async def cancel(session: Session) -> object:
        pool = session.pool("bookings")
        return await Cancellations(pool, Inventory(pool)).cancel(booking_id)

    return cancel


def returning(reference: UUID, key: str = "") -> Work:
    """Cancels a booking by its reference; gives the response, or what it was refused with."""

    async def cancel(session: Session) -> object:
        pool = session.pool("bookings")
        inventory = Inventory(pool)
        cancellation = Cancellation(reference, ANYBODY, key)
        [ask] = await Cancellations(pool, inventory).asks_of([cancellation])
        return await response_to(inventory, ask, CancelBookingByReferenceResponse)

    return cancel


async def book(pool: Pool, event_id: int, seats: int) -> list[int]:
    """Books seats before the curtain rises; gives the numbers of the bookings."""
    asks = [reservations.reserve(event_id, f"early-{number}", ANYBODY) for number in range(seats)]
    made = await Inventory(pool).decide(asks)
    return [one.booking.id for one in made if isinstance(one, Booked)]


class Stage:
    """Makes an event for each order, and remembers which."""

    def __init__(self, owner: psycopg.Connection[Any], pool: Pool) -> None:
        self._owner = owner
        self._pool = pool
        self.orders = 0
        self.event_id = 0
        self.booking_ids: list[int] = []

    async def open(self, *, capacity: int = CAPACITY, booked: int = 0) -> int:
        """Makes an event of which some seats are booked."""
        number = self.number()
        await Inventory(self._pool).apply(concert(number, 1, capacity))
        self.booking_ids = await book(self._pool, number, booked)
        return number

    async def open_party(self, seats: int, *, capacity: int) -> UUID:
        """Makes an event of which somebody has several seats; gives their reference."""
        number = await self.open(capacity=capacity)
        party = reservations.create(number, "party", seats, ANYBODY)
        [made] = await Inventory(self._pool).decide([party])
        assert isinstance(made, Booked)
        return made.booking.reference

    def number(self) -> int:
        """Gives the number of an event that bookings has not heard of."""
        self.orders += 1
        self.event_id = next(_numbers)
        return self.event_id

    def in_force(self) -> tuple[int, int, str, bool]:
        """Tells capacity, seats taken, status and whether the event is closed."""
        row = self._owner.execute(
            "SELECT capacity, sold + held, status, closed_at IS NOT NULL FROM inventory"
            " WHERE event_id = %s",
            [self.event_id],
        ).fetchone()
        assert row is not None
        capacity, taken, status, is_closed = row
        return capacity, taken, status, is_closed

    def live(self) -> int:
        """Counts the bookings that read as live."""
        row = self._owner.execute(
            "SELECT count(*) FROM booking_details"
            " WHERE event_id = %s AND status IN ('HELD', 'CONFIRMED')",
            [self.event_id],
        ).fetchone()
        assert row is not None
        return int(row[0])


def reserved(outcome: object) -> bool:
    """Tells whether a seat was booked."""
    return isinstance(outcome, Booked)
