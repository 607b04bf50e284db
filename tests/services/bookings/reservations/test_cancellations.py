import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.rest.v1 import rest_pb2
from services.bookings.access import Viewer
from services.bookings.errors import AlreadyCancelled, BookingNotFound
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.commands import Booked, Cancel, Replayed
from services.bookings.reservations.cancellations import Cancellation, Cancellations
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from services.kit.rpc.callers import Caller, Role
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.bookings.asking import GUEST, booked, party, response_to, seat, summaries
from tests.services.bookings.conftest import concert, drift
from tests.services.bookings.rankings.conftest import RANKINGS


@pytest.fixture
def cancellations(pool: Pool, inventory: Inventory) -> Cancellations:
    """Returns the cancellations over the inventory."""
    return Cancellations(pool, inventory)


async def concert_with(
    inventory: Inventory, reservations: Reservations, *users: str, capacity: int = 50
) -> list[int]:
    """Makes an event and books a seat for each user; returns the bookings."""
    await inventory.apply(concert(capacity=capacity))
    made = await booked(reservations, [seat(1, user) for user in users])
    return [booking.id for booking in made]


async def test_a_seat_is_freed_exactly_once(
    pool: Pool,
    inventory: Inventory,
    reservations: Reservations,
    database: Database,
) -> None:
    """Parallel cancellations of one booking would free its seat more than once."""
    [booking_id, _] = await concert_with(inventory, reservations, "ada", "bob", capacity=2)
    attempts = [Cancellations(pool, Inventory(pool)).cancel(booking_id) for _ in range(8)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert Counter(map(type, outcomes)) == {int: 1, AlreadyCancelled: 7}
    after = await reservations.decide([seat(1, "ada"), seat(1, "eve")])
    assert summaries(after) == ["BOOKED", "SOLD_OUT"]
    assert drift(database) == []


async def test_the_revision_tells_when_it_was_freed(
    cancellations: Cancellations, inventory: Inventory, reservations: Reservations
) -> None:
    """A cancellation would return a revision at which the seat was not free yet."""
    [booking_id] = await concert_with(inventory, reservations, "ada")
    before = (await inventory.count_seats([1]))[1]
    rev = await cancellations.cancel(booking_id)
    after = (await inventory.count_seats([1]))[1]
    assert (after.rev, after.booked) == (rev, before.booked - 1)
    assert rev == before.rev + 1


async def test_an_unknown_booking_cannot_be_cancelled(
    cancellations: Cancellations, inventory: Inventory, reservations: Reservations
) -> None:
    """Cancelling a missing booking would free a seat, or fail as INTERNAL."""
    [booking_id] = await concert_with(inventory, reservations, "ada")
    with pytest.raises(BookingNotFound):
        await cancellations.cancel(booking_id + 1)
    await cancellations.cancel(booking_id)
    with pytest.raises(AlreadyCancelled):
        await cancellations.cancel(booking_id)


@pytest.mark.parametrize(
    ("caller", "by_organizer"),
    [
        (Caller("acct_ada"), False),
        (Caller("acct_org"), True),
        (Caller("acct_root", Role.ADMIN), True),
        (Caller("acct_root", Role.ADMIN, {rest_pb2.SCOPE_BOOKINGS_ANY_USER}), False),
    ],
)
async def test_what_others_cancel_is_cancelled_by_the_organizer(
    cancellations: Cancellations,
    inventory: Inventory,
    reservations: Reservations,
    caller: Caller,
    by_organizer: bool,
) -> None:
    """Users would choose whether a late cancellation is paid back, or organizers keep the money."""
    await inventory.apply(concert(organizer_id="acct_org"))
    ada = Viewer(Caller("acct_ada"), open_access=False)
    [booking] = await booked(reservations, [seat(1, "acct_ada", viewer=ada)])
    cancellation = Cancellation(booking.reference, Viewer(caller, open_access=False))
    [ask] = await cancellations.asks_of([cancellation])
    assert isinstance(ask, Ask)
    assert ask.command == Cancel(1, booking.id, by_organizer)


async def test_top_users_follow(
    cancellations: Cancellations,
    inventory: Inventory,
    reservations: Reservations,
    pool: Pool,
) -> None:
    """A cancelled booking would still count in the rankings."""
    rankings = RANKINGS[0](pool)
    first, second, _ = await concert_with(inventory, reservations, "ada", "bob", "eve")
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


async def created(
    inventory: Inventory, reservations: Reservations, user_id: str = "acct_ada", seats: int = 3
) -> Booking:
    """Makes an owned event of five seats, and books some of them together."""
    await inventory.apply(concert(capacity=5, organizer_id="acct_owner"))
    [made] = await booked(reservations, [party(1, user_id, seats)])
    return made


async def cancel(pool: Pool, reference: UUID, viewer: Viewer, key: str = "") -> Any:
    """Cancels by reference in a lane of its own; returns the response or the refusal."""
    inventory = Inventory(pool)
    [ask] = await Cancellations(pool, inventory).asks_of([Cancellation(reference, viewer, key)])
    return await response_to(inventory, ask, bookings_pb2.CancelBookingByReferenceResponse)


async def test_all_seats_of_a_booking_are_freed_exactly_once(
    pool: Pool, inventory: Inventory, reservations: Reservations, database: Database
) -> None:
    """Parallel cancellations with different keys and callers would free seats more than once."""
    made = await created(inventory, reservations)
    attempts = [
        cancel(pool, made.reference, viewer, key)
        for viewer, key in ((ADA, ""), (OWNER, ""), (ADA, "a"), (ADA, "b"), (OWNER, "a"))
    ]
    outcomes = await asyncio.gather(*attempts)
    refusals = [one for one in outcomes if isinstance(one, Refusal)]
    assert [(type(one), one.metadata) for one in refusals] == [
        (AlreadyCancelled, {"inventory_revision": "3"})
    ] * 4
    [cancelled] = [one for one in outcomes if not isinstance(one, Refusal)]
    assert cancelled.booking.status == bookings_pb2.BOOKING_STATUS_CANCELLED
    assert cancelled.booking.HasField("cancelled_at")
    assert cancelled.booking.seat_count == 3
    seats = (await inventory.count_seats([1]))[1]
    assert (seats.booked, seats.rev) == (0, cancelled.inventory_revision)
    assert drift(database) == []


async def test_only_who_may_see_a_booking_cancels_it(
    pool: Pool, inventory: Inventory, reservations: Reservations
) -> None:
    """A user could cancel a booking of somebody else, or learn that it exists."""
    made = await created(inventory, reservations)
    for viewer in (STRANGER, GUEST):
        refusal = await cancel(pool, made.reference, viewer, "k")
        assert isinstance(refusal, BookingNotFound)
    assert isinstance(await cancel(pool, uuid4(), OWNER), BookingNotFound)
    assert (await cancel(pool, made.reference, OWNER)).inventory_revision == 3


async def test_a_guests_reference_is_the_secret(
    pool: Pool, inventory: Inventory, reservations: Reservations
) -> None:
    """A guest could not cancel with the reference of the booking."""
    made = await created(inventory, reservations, "guest")
    assert (await cancel(pool, made.reference, STRANGER)).inventory_revision == 3


async def test_a_key_is_answered_with_what_was_then(
    pool: Pool, inventory: Inventory, reservations: Reservations
) -> None:
    """A repeated request would get the booking as it is now instead of the first response."""
    await inventory.apply(concert(capacity=5, name="Before"))
    asked = party(1, "acct_ada", 2, key="k", viewer=ADA)
    [first] = await reservations.decide([asked])
    assert isinstance(first, Booked)
    assert asked.answer is not None
    answered = asked.answer(first).SerializeToString()
    done = await cancel(pool, first.booking.reference, ADA, "k")
    await inventory.apply(concert(capacity=5, rev=2, name="After"))
    assert await reservations.decide([asked]) == [Replayed(answered)]
    again = await cancel(pool, first.booking.reference, ADA, "k")
    assert again.replayed
    again.replayed = False
    assert again == done
    assert again.booking.event.name == "Before"


async def test_a_refusal_is_answered_again_too(
    pool: Pool, inventory: Inventory, reservations: Reservations
) -> None:
    """A repeated refusal would have another revision, or a key refuse another booking."""
    made = await created(inventory, reservations, seats=1)
    await cancel(pool, made.reference, ADA, "first")
    for replayed in ({}, {"replayed": "true"}):
        refusal = await cancel(pool, made.reference, ADA, "second")
        assert refusal.reason == "ALREADY_CANCELLED"
        assert refusal.metadata == {"inventory_revision": "3"} | replayed
        await reservations.decide([seat(1, "bob")])
    [other] = await booked(reservations, [party(1, "acct_ada")])
    refusal = await cancel(pool, other.reference, ADA, "second")
    assert refusal.reason == "IDEMPOTENCY_KEY_REUSED"


async def test_a_cancellation_in_flight_refuses_its_key(
    database: Database,
    pool: Pool,
    inventory: Inventory,
    reservations: Reservations,
) -> None:
    """A repeated request would wait for the first one, or block other keys."""
    made = await created(inventory, reservations)
    key = "acct_ada\x1fcancel_booking\x1fk"
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
        refusal = await cancel(pool, made.reference, ADA, "k")
        assert refusal.reason == "REQUEST_IN_PROGRESS"
    assert (await cancel(pool, made.reference, ADA, "k")).inventory_revision == 3
