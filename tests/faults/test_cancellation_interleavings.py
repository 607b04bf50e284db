"""Interleavings of cancellations by reference with other changes of the same seats."""

from boxoffice.bookings.v1.bookings_pb2 import CancelBookingByReferenceResponse as Cancelled
from services.bookings.errors import AlreadyCancelled
from tests.conftest import Database
from tests.faults.events_fixture import (
    EventsFixture,
    applying,
    concert,
    reserved,
    reserving,
    returning,
)
from tests.faults.interleaving import Interleavings, Work
from tests.services.bookings.conftest import drift

PARTY = 2


async def test_two_cancellations_of_a_party_meet_a_reservation(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """The seats could be freed twice, or stay taken for the next buyer."""

    async def returns() -> list[Work]:
        reference = await events.create_with_party(PARTY, capacity=PARTY)
        number = events.event_id
        return [returning(reference), returning(reference, f"key {number}"), reserving(number)]

    seen = set()
    async for *cancelled, booked in interleavings.each(returns, by_statement=False):
        assert {type(one) for one in cancelled} == {Cancelled, AlreadyCancelled}
        assert events.in_force()[1] == events.live_bookings() == reserved(booked)
        seen.add(reserved(booked))
    assert seen == {True, False}


async def test_one_key_cancels_once(interleavings: Interleavings, events: EventsFixture) -> None:
    """A request that is repeated too early could cancel twice, or get another response."""

    async def repeated() -> list[Work]:
        reference = await events.create_with_party(PARTY, capacity=PARTY)
        key = f"key {events.event_id}"
        return [returning(reference, key), returning(reference, key)]

    seen = set()
    async for outcomes in interleavings.each(repeated):
        done = [one for one in outcomes if isinstance(one, Cancelled)]
        assert sum(not one.replayed for one in done) == 1
        assert len({one.booking.SerializeToString() for one in done}) == 1
        assert events.in_force()[1] == 0
        seen |= {type(one).__name__ for one in outcomes}
    assert seen == {Cancelled.__name__, "RequestInProgress"}


def closing(events: EventsFixture) -> Work:
    """Returns work that cancels the event."""
    return applying(concert(events.event_id, 2, PARTY, status="CANCELLED"))


async def test_a_cancellation_of_a_party_meets_a_close(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """Both could free the seats of one booking."""

    async def close() -> list[Work]:
        reference = await events.create_with_party(PARTY, capacity=PARTY)
        return [closing(events), returning(reference)]

    seen = set()
    async for judged, cancelled in interleavings.each(close):
        assert judged.cancelled_bookings == isinstance(cancelled, AlreadyCancelled)
        assert events.in_force()[1] == events.live_bookings() == 0
        seen.add(type(cancelled))
    assert seen == {Cancelled, AlreadyCancelled}


async def test_without_the_lock_an_order_frees_twice(
    interleavings: Interleavings, events: EventsFixture, unlocked: Database
) -> None:
    """Negative control: without the lock, a close and a cancellation free the same seats."""

    async def close() -> list[Work]:
        reference = await events.create_with_party(PARTY, capacity=PARTY)
        return [closing(events), returning(reference)]

    taken = [events.in_force()[1] async for _ in interleavings.each(close)]
    assert any(seats < 0 for seats in taken)
    assert drift(unlocked)
