import asyncio
from collections import Counter

import pytest

from services.bookings.cancellations import Cancellations
from services.bookings.errors import AlreadyCancelled, BookingNotFound
from services.bookings.inventory import Inventory
from services.bookings.rankings import Rankings
from services.bookings.reservations import Request, Reservation, Reservations
from services.kit.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.conftest import concert, drift


@pytest.fixture
def cancellations(pool: Pool) -> Cancellations:
    """Gives who cancels."""
    return Cancellations(pool)


async def booked(
    inventory: Inventory, reservations: Reservations, *users: str, capacity: int = 50
) -> list[int]:
    """Makes an event and books a seat for each of the users; gives the bookings."""
    await inventory.apply(concert(capacity=capacity))
    made = await reservations.reserve([Request(1, user) for user in users])
    return [one.booking_id for one in made if isinstance(one, Reservation)]


async def test_a_seat_is_freed_exactly_once(
    cancellations: Cancellations,
    inventory: Inventory,
    reservations: Reservations,
    database: Database,
) -> None:
    """However many ask at once, one hears that it was done, and one seat is free again."""
    [booking_id, _] = await booked(inventory, reservations, "ada", "bob", capacity=2)
    attempts = [cancellations.cancel(booking_id) for _ in range(8)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert Counter(map(type, outcomes)) == {int: 1, AlreadyCancelled: 7}
    after = await reservations.reserve([Request(1, "ada"), Request(1, "eve")])
    assert [isinstance(one, Reservation) for one in after] == [True, False]
    assert drift(database) == []


async def test_the_revision_tells_when_it_was_freed(
    cancellations: Cancellations, inventory: Inventory, reservations: Reservations
) -> None:
    """It is the inventory's next one."""
    [booking_id] = await booked(inventory, reservations, "ada")
    before = (await inventory.count_seats([1]))[1]
    rev = await cancellations.cancel(booking_id)
    after = (await inventory.count_seats([1]))[1]
    assert (after.rev, after.booked) == (rev, before.booked - 1)
    assert rev == before.rev + 1


async def test_what_is_over_cannot_be_cancelled(
    cancellations: Cancellations, inventory: Inventory, reservations: Reservations
) -> None:
    """Nor what never was."""
    [booking_id] = await booked(inventory, reservations, "ada")
    with pytest.raises(BookingNotFound):
        await cancellations.cancel(booking_id + 1)
    await inventory.apply(concert(rev=2, deleted=True))
    with pytest.raises(AlreadyCancelled):
        await cancellations.cancel(booking_id)


async def test_top_users_follow(
    cancellations: Cancellations,
    inventory: Inventory,
    reservations: Reservations,
    pool: Pool,
) -> None:
    """A cancelled booking counts no more, whether or not it was rolled up before."""
    rankings = Rankings(pool)
    first, second, _ = await booked(inventory, reservations, "ada", "bob", "eve")
    await cancellations.cancel(first)
    assert [user.user_id for user in await rankings.list_top_users("", "")] == ["bob", "eve"]
    while await rankings.roll_up():
        pass
    await cancellations.cancel(second)
    assert [user.user_id for user in await rankings.list_top_users("day", "")] == ["eve"]
    while await rankings.roll_up():
        pass
    assert [user.user_id for user in await rankings.list_top_users("", "")] == ["eve"]
