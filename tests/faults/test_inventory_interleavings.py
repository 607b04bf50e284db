"""The inventory in every order that the steps of two or three sessions can take."""

from typing import Any, cast

import psycopg

from services.bookings.catalogue.following import Feed, FeedPage, Follower
from services.bookings.errors import AlreadyCancelled, SoldOut
from services.bookings.inventory import FeedPosition, Inventory, Verdict
from tests.conftest import Database
from tests.faults.events_fixture import (
    CAPACITY,
    EventsFixture,
    applying,
    cancelling,
    concert,
    reserved,
    reserving,
)
from tests.faults.interleaving import Interleavings, Session, Work
from tests.services.bookings.conftest import drift


async def test_states_arrive_in_any_order(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """A late message could put an older revision in force."""

    async def arrivals() -> list[Work]:
        number = events.new_id()
        return [
            applying(concert(number, rev, capacity)) for rev, capacity in ((1, 2), (2, 9), (3, 4))
        ]

    async for outcomes in interleavings.each(arrivals, by_statement=False):
        assert outcomes[2].verdict is Verdict.APPLIED
        assert events.in_force()[0] == 4


async def test_a_state_arrives_twice_before_the_event_is_known(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """A doubled first message could fail, or apply the state twice."""

    async def copies() -> list[Work]:
        state = concert(events.new_id(), 1, 2)
        return [applying(state), applying(state)]

    async for outcomes in interleavings.each(copies):
        assert [outcome.verdict for outcome in outcomes] == [Verdict.APPLIED] * 2
        assert {outcome.inventory_rev for outcome in outcomes} == {1}


async def test_a_tombstone_outlives_late_messages(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """A late message could revive an event that was deleted before bookings knew it."""

    async def delete_unknown() -> list[Work]:
        number = events.new_id()
        gone = concert(number, 2, 2, status="PUBLISHED", deleted=True)
        return [applying(concert(number, 1, 2)), applying(gone), reserving(number)]

    async for _, deleted, _ in interleavings.each(delete_unknown, by_statement=False):
        assert deleted.verdict is Verdict.APPLIED
        assert events.in_force()[1:] == (0, "PUBLISHED", True)
        assert events.live_bookings() == 0


async def test_a_deletion_with_a_reservation(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """A booking could survive its event, or be cancelled without being counted."""

    async def delete() -> list[Work]:
        number = await events.create()
        return [applying(concert(number, 2, CAPACITY, deleted=True)), reserving(number)]

    seen = set()
    async for closed, outcome in interleavings.each(delete):
        assert closed.cancelled_bookings == reserved(outcome)
        assert events.live_bookings() == 0
        seen.add(reserved(outcome))
    assert seen == {True, False}


async def test_a_shrink_with_reservations(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """A shrink below what is sold could be granted, or a seat refused that is still there."""

    async def shrink() -> list[Work]:
        number = await events.create()
        return [
            applying(concert(number, 2, 1)),
            reserving(number, "ada"),
            reserving(number, "bob"),
        ]

    verdicts = set()
    async for judgement, *outcomes in interleavings.each(shrink):
        verdicts.add(judgement.verdict)
        capacity = 1 if judgement.verdict is Verdict.APPLIED else 2
        assert events.in_force()[:2] == (capacity, capacity)
        assert sum(map(reserved, outcomes)) == capacity
    assert verdicts == {Verdict.APPLIED, Verdict.REFUSED}


async def test_a_refused_shrink_stays_refused(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """A copy that arrives after a seat was given back could get another verdict."""
    verdicts = set()

    async def shrink() -> list[Work]:
        number = await events.create(booked=2)
        state = concert(number, 2, 1)
        return [applying(state), applying(state), cancelling(events.booking_ids[0])]

    async for first, second, _ in interleavings.each(shrink, by_statement=False):
        assert first.verdict is second.verdict
        verdicts.add(first.verdict)
        capacity = 1 if first.verdict is Verdict.APPLIED else 2
        assert events.in_force()[:2] == (capacity, 1)
    assert verdicts == {Verdict.APPLIED, Verdict.REFUSED}


async def test_a_cancellation_with_a_close(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """Both could free the seats of one booking."""

    async def close() -> list[Work]:
        number = await events.create(booked=2)
        state = concert(number, 2, CAPACITY, status="CANCELLED")
        return [applying(state), cancelling(events.booking_ids[0])]

    seen = set()
    async for closed, cancelled in interleavings.each(close):
        was_late = isinstance(cancelled, AlreadyCancelled)
        assert closed.cancelled_bookings == (2 if was_late else 1)
        assert events.in_force()[1] == events.live_bookings() == 0
        seen.add(was_late)
    assert seen == {True, False}


async def test_two_cancellations_with_a_reservation(
    interleavings: Interleavings, events: EventsFixture
) -> None:
    """One seat could be freed twice, and sold twice."""

    async def cancel() -> list[Work]:
        number = await events.create(capacity=1, booked=1)
        [booking_id] = events.booking_ids
        return [cancelling(booking_id), cancelling(booking_id), reserving(number)]

    async for *cancelled, outcome in interleavings.each(cancel):
        assert sum(isinstance(one, AlreadyCancelled) for one in cancelled) == 1
        assert reserved(outcome) or isinstance(outcome, SoldOut)
        assert events.in_force()[1] == reserved(outcome)


HERE, THERE = FeedPosition("epoch", 1), FeedPosition("epoch", 3)


def following(news: FeedPage) -> Work:
    """Returns work in which a replica applies the changes that it has read from the feed."""
    feed = cast(Feed, None)

    async def advance(session: Session) -> None:
        pool = session.pool("bookings")
        await Follower(pool, feed, Inventory(pool))._advance(HERE, news)

    return advance


async def test_two_followers_with_a_push(
    interleavings: Interleavings, events: EventsFixture, owner: psycopg.Connection[Any]
) -> None:
    """A second replica could move the place twice, or an old state replace a newer one."""

    async def read_twice() -> list[Work]:
        owner.execute("UPDATE following SET epoch = 'epoch', sequence = 1")
        number = events.new_id()
        first, second, third = (
            concert(number, rev, capacity, epoch="epoch")
            for rev, capacity in ((1, 5), (2, 6), (3, 7))
        )
        news = FeedPage([first, second], THERE, None, is_last=True)
        return [following(news), following(news), applying(third)]

    async for *followed, pushed in interleavings.each(read_twice):
        assert sorted(type(one).__name__ for one in followed) == ["NoneType", "PositionMoved"]
        assert pushed.verdict is Verdict.APPLIED
        assert events.in_force()[0] == 7
        assert owner.execute("SELECT sequence FROM following").fetchone() == (3,)


async def test_without_the_lock_an_order_sells_what_is_deleted(
    interleavings: Interleavings, events: EventsFixture, unlocked: Database
) -> None:
    """Negative control: without the lock, some order sells a deleted event."""

    async def delete() -> list[Work]:
        number = await events.create()
        return [applying(concert(number, 2, CAPACITY, deleted=True)), reserving(number)]

    taken = [events.in_force()[1] async for _ in interleavings.each(delete)]
    assert any(taken)
    assert drift(unlocked)


async def test_without_the_lock_an_order_oversells(
    interleavings: Interleavings, events: EventsFixture, unlocked: Database
) -> None:
    """Negative control: a shrink that is judged by old counts goes below what is sold."""

    async def shrink() -> list[Work]:
        number = await events.create(booked=1)
        return [applying(concert(number, 2, 1)), reserving(number)]

    in_force = [events.in_force() async for _ in interleavings.each(shrink)]
    assert any(taken > capacity for capacity, taken, *_ in in_force)
    assert drift(unlocked)
