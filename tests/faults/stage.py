"""Events to try all orders on, and what sessions do with them."""

import itertools
from typing import Any
from uuid import UUID

import psycopg

from services.bookings.access import Viewer
from services.bookings.cancellations import Cancellations
from services.bookings.catalogue import Catalogue
from services.bookings.decisions import CREATE, Request, Reservation
from services.bookings.inventory import EventState, Inventory
from services.bookings.reservations import Reservations
from services.kit.authentication import SERVICE
from services.kit.postgres import Pool
from tests.faults.interleaving import Session, Work
from tests.services.bookings.conftest import ScriptedCatalogue

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
    """Reserves a seat; its transaction stays open for a while."""

    async def reserve(session: Session) -> object:
        pool = session.pool("bookings", transactions=True)
        catalogue = Catalogue(ScriptedCatalogue().fetch, Inventory(pool))
        [outcome] = await Reservations(pool, catalogue).reserve([Request(event_id, user_id)])
        return outcome

    return reserve


def cancelling(booking_id: int) -> Work:
    """Cancels a booking."""
    return lambda session: Cancellations(session.pool("bookings")).cancel(booking_id)


def returning(reference: UUID, key: str = "") -> Work:
    """Cancels a booking by its reference."""

    async def cancel(session: Session) -> object:
        cancellations = Cancellations(session.pool("bookings"))
        return await cancellations.cancel_by_reference(reference, ANYBODY, key)

    return cancel


async def book(pool: Pool, event_id: int, seats: int) -> list[int]:
    """Books seats before the curtain rises; gives the numbers of the bookings."""
    catalogue = Catalogue(ScriptedCatalogue().fetch, Inventory(pool))
    requests = [Request(event_id, f"early-{number}") for number in range(seats)]
    made = await Reservations(pool, catalogue).reserve(requests)
    return [one.booking_id for one in made if isinstance(one, Reservation)]


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
        catalogue = Catalogue(ScriptedCatalogue().fetch, Inventory(self._pool))
        party = Request(number, "party", seats, way=CREATE)
        [made] = await Reservations(self._pool, catalogue).reserve([party])
        assert isinstance(made, Reservation)
        assert made.booking is not None
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
    return isinstance(outcome, Reservation)
