"""Fixtures of the waiting list of an event that has a key."""

from typing import Any

import pytest

from boxoffice.bookings.v1 import waiting_list_pb2
from services.bookings.inventory import Inventory
from services.bookings.inventory.commands import Outcome
from services.bookings.reservations.reservations import Reservations
from services.bookings.waiting_list import booking
from services.bookings.waiting_list.waiting_list import WaitingList
from services.kit.database.postgres import Pool
from tests.services.bookings.asking import GUEST, response_to, seat_by_key
from tests.services.bookings.conftest import concert

KEY = "show"
PRICED = {"price_amount_minor": 1000, "price_currency": "EUR"}


@pytest.fixture
def line(pool: Pool) -> WaitingList:
    """Returns the waiting list."""
    return WaitingList(pool)


def show(capacity: int = 2, **changes: Any) -> Any:
    """Makes the state of an event with a key."""
    return concert(capacity=capacity, key=KEY, **changes)


async def book(reservations: Reservations, *users: str, seats: int = 1) -> list[Outcome]:
    """Books by the key of the event for all users at once."""
    return await reservations.decide([seat_by_key(1, user, seats) for user in users])


async def cancel(inventory: Inventory, user: str, *, key: str = "", event_id: int = 1) -> Any:
    """Withdraws a user from an event; returns the response or the refusal."""
    ask = booking.cancel(event_id, user, GUEST, key)
    return await response_to(inventory, ask, waiting_list_pb2.CancelResponse)


async def left(inventory: Inventory) -> tuple[int, int]:
    """Counts the free seats and the waiting users."""
    [seats] = (await inventory.count_seats([1])).values()
    return seats.capacity - seats.booked, seats.waiting
