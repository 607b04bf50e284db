"""Cancelling by reference in every order with others who want the same seats."""

from boxoffice.bookings.v1.bookings_pb2 import CancelBookingByReferenceResponse as Cancelled
from services.bookings.errors import AlreadyCancelled
from tests.conftest import Database
from tests.faults.interleaving import Interleavings, Work
from tests.faults.stage import Stage, applying, concert, reserved, reserving, returning
from tests.services.bookings.conftest import drift

PARTY = 2


async def test_two_cancellations_of_a_party_meet_a_reservation(
    interleavings: Interleavings, stage: Stage
) -> None:
    """The seats are freed once, and whoever comes after that has one of them."""

    async def returns() -> list[Work]:
        reference = await stage.open_party(PARTY, capacity=PARTY)
        number = stage.event_id
        return [returning(reference), returning(reference, f"key {number}"), reserving(number)]

    seen = set()
    async for *cancelled, booked in interleavings.each(returns, by_statement=False):
        assert {type(one) for one in cancelled} == {Cancelled, AlreadyCancelled}
        assert stage.in_force()[1] == stage.live() == reserved(booked)
        seen.add(reserved(booked))
    assert seen == {True, False}


async def test_one_key_cancels_once(interleavings: Interleavings, stage: Stage) -> None:
    """A repetition meets the first: it is in progress, or it is answered as the first was."""

    async def repeated() -> list[Work]:
        reference = await stage.open_party(PARTY, capacity=PARTY)
        key = f"key {stage.event_id}"
        return [returning(reference, key), returning(reference, key)]

    seen = set()
    async for outcomes in interleavings.each(repeated):
        done = [one for one in outcomes if isinstance(one, Cancelled)]
        assert sum(not one.replayed for one in done) == 1
        assert len({one.booking.SerializeToString() for one in done}) == 1
        assert stage.in_force()[1] == 0
        seen |= {type(one).__name__ for one in outcomes}
    assert seen == {Cancelled.__name__, "RequestInProgress"}


def closing(stage: Stage) -> Work:
    """Calls the event off."""
    return applying(concert(stage.event_id, 2, PARTY, status="CANCELLED"))


async def test_a_cancellation_of_a_party_meets_a_close(
    interleavings: Interleavings, stage: Stage
) -> None:
    """The seats are freed once, by one of the two."""

    async def close() -> list[Work]:
        reference = await stage.open_party(PARTY, capacity=PARTY)
        return [closing(stage), returning(reference)]

    seen = set()
    async for judged, cancelled in interleavings.each(close):
        assert judged.cancelled_bookings == isinstance(cancelled, AlreadyCancelled)
        assert stage.in_force()[1] == stage.live() == 0
        seen.add(type(cancelled))
    assert seen == {Cancelled, AlreadyCancelled}


async def test_without_the_lock_an_order_frees_twice(
    interleavings: Interleavings, broken_stage: Stage, unlocked: Database
) -> None:
    """Negative control: with the lock taken out, a close and a cancellation free the same seats."""

    async def close() -> list[Work]:
        reference = await broken_stage.open_party(PARTY, capacity=PARTY)
        return [closing(broken_stage), returning(reference)]

    taken = [broken_stage.in_force()[1] async for _ in interleavings.each(close)]
    assert any(seats < 0 for seats in taken)
    assert drift(unlocked)
