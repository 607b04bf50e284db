import asyncio
from collections import Counter
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest

from services.bookings.access import Viewer
from services.bookings.bookings import Booking
from services.bookings.cancellations import Cancellations, Cancelled
from services.bookings.errors import AlreadyCancelled, BookingNotFound
from services.bookings.inventory import Inventory
from services.bookings.inventory.commands import Booked
from services.bookings.rankings import Rankings
from services.bookings.reservations import Reservations
from services.kit.authentication import ANONYMOUS, Caller
from services.kit.errors import IdempotencyKeyReused, RequestInProgress
from services.kit.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.asking import party, seat
from tests.services.bookings.conftest import concert, drift


@pytest.fixture
def cancellations(pool: Pool) -> Cancellations:
    """Gives who cancels."""
    return Cancellations(pool, inventory)


async def booked(
    inventory: Inventory, reservations: Reservations, *users: str, capacity: int = 50
) -> list[int]:
    """Makes an event and books a seat for each of the users; gives the bookings."""
    await inventory.apply(concert(capacity=capacity))
    made = await reservations.decide([seat(1, user) for user in users])
    return [one.booking.id for one in made if isinstance(one, Booked)]


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
    after = await reservations.decide([seat(1, "ada"), seat(1, "eve")])
    assert [isinstance(one, Booked) for one in after] == [True, False]
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


OWNER = Viewer(Caller("acct_owner"), open_access=False)
ADA = Viewer(Caller("acct_ada"), open_access=False)
STRANGER = Viewer(Caller("acct_stranger"), open_access=False)
GUEST = Viewer(ANONYMOUS, open_access=True)


async def created(
    inventory: Inventory, reservations: Reservations, user_id: str = "acct_ada", seats: int = 3
) -> Booking:
    """Makes an event of five seats that has an owner, and books some of them together."""
    await inventory.apply(concert(capacity=5, organizer_id="acct_owner"))
    [made] = await reservations.decide([party(1, user_id, seats)])
    assert isinstance(made, Booked)
    assert made.booking is not None
    return made.booking


async def test_all_seats_of_a_booking_are_freed_exactly_once(
    cancellations: Cancellations,
    inventory: Inventory,
    reservations: Reservations,
    database: Database,
) -> None:
    """However often and parallel it is asked, by whoever may and with whatever key."""
    made = await created(inventory, reservations)
    attempts = [
        cancellations.cancel_by_reference(made.reference, viewer, key)
        for viewer, key in ((ADA, ""), (OWNER, ""), (ADA, "a"), (ADA, "b"), (OWNER, "a"))
    ]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    [cancelled] = [one for one in outcomes if isinstance(one, Cancelled)]
    assert cancelled.booking.status == "CANCELLED"
    assert cancelled.booking.cancelled_at is not None
    assert cancelled.booking.seat_count == 3
    refusals = [one for one in outcomes if isinstance(one, AlreadyCancelled)]
    assert [one.metadata for one in refusals] == [{"inventory_revision": "3"}] * 4
    seats = (await inventory.count_seats([1]))[1]
    assert (seats.booked, seats.rev) == (0, cancelled.rev)
    assert drift(database) == []


async def test_only_who_may_see_a_booking_cancels_it(
    cancellations: Cancellations, inventory: Inventory, reservations: Reservations
) -> None:
    """To all others it is as absent as one that never was."""
    made = await created(inventory, reservations)
    for viewer in (STRANGER, GUEST):
        with pytest.raises(BookingNotFound):
            await cancellations.cancel_by_reference(made.reference, viewer, "k")
    with pytest.raises(BookingNotFound):
        await cancellations.cancel_by_reference(uuid4(), OWNER, "")
    await cancellations.cancel_by_reference(made.reference, OWNER, "")


async def test_a_guests_reference_is_the_secret(
    cancellations: Cancellations, inventory: Inventory, reservations: Reservations
) -> None:
    """Whoever knows it may cancel."""
    made = await created(inventory, reservations, "guest")
    await cancellations.cancel_by_reference(made.reference, STRANGER, "")


async def test_a_key_is_answered_with_what_was_then(
    cancellations: Cancellations, inventory: Inventory, reservations: Reservations
) -> None:
    """Making and cancelling alike show the booking of that moment, whatever became of it since."""
    await inventory.apply(concert(capacity=5, name="Before"))
    asked = seat(1, "acct_ada", 2, "acct_ada", "k", CREATE)
    [first] = await reservations.decide([asked])
    assert isinstance(first, Booked)
    assert first.booking is not None
    reference = first.booking.reference
    done = await cancellations.cancel_by_reference(reference, ADA, "k")
    await inventory.apply(concert(capacity=5, rev=2, name="After"))
    [again] = await reservations.decide([asked])
    assert again == replace(first, replayed=True)
    assert again.booking is not None
    assert (again.booking.status, again.booking.event_name) == ("CONFIRMED", "Before")
    repeated = await cancellations.cancel_by_reference(reference, ADA, "k")
    assert repeated == replace(done, replayed=True)
    assert repeated.booking.event_name == "Before"


async def test_a_refusal_is_answered_again_too(
    cancellations: Cancellations, inventory: Inventory, reservations: Reservations
) -> None:
    """With the revision it had; the key stands for this booking alone."""
    made = await created(inventory, reservations, seats=1)
    await cancellations.cancel_by_reference(made.reference, ADA, "first")
    for replayed in ({}, {"replayed": "true"}):
        with pytest.raises(AlreadyCancelled) as refusal:
            await cancellations.cancel_by_reference(made.reference, ADA, "second")
        assert refusal.value.metadata == {"inventory_revision": "3"} | replayed
        await reservations.decide([seat(1, "bob")])
    with pytest.raises(IdempotencyKeyReused):
        await cancellations.cancel_by_reference(uuid4(), ADA, "second")


async def test_a_cancellation_in_flight_refuses_its_key(
    database: Database,
    cancellations: Cancellations,
    inventory: Inventory,
    reservations: Reservations,
) -> None:
    """Nobody waits for a key that another transaction owns; other keys are free."""
    made = await created(inventory, reservations)
    key = "acct_ada\x1fcancel_booking\x1fk"
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
        with pytest.raises(RequestInProgress):
            await cancellations.cancel_by_reference(made.reference, ADA, "k")
    assert (await cancellations.cancel_by_reference(made.reference, ADA, "k")).rev == 3
