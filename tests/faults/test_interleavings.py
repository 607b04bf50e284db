"""Every order in which the steps of two or three sessions can meet, and what must hold after it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import psycopg
import pytest

from services.bookings.catalogue.following import Feed, FeedPage, Follower
from services.bookings.catalogue.messages import apply_response, event_state
from services.bookings.errors import AlreadyCancelled, SoldOut
from services.bookings.inventory import Inventory, Place, Verdict
from services.events.access import Viewer
from services.events.errors import CapacityBelowBooked, ChangePending, EventNotFound
from services.events.events import messages, revisions
from services.events.events.answers import Deleted, Shown
from services.events.events.changes import Change, Changes
from services.events.events.events import Events
from services.events.feed import bookings_client as events_inventory
from services.events.feed.bookings_client import Verdict as Heard
from services.events.idempotency import Idempotency
from services.kit.auth.authentication import ANONYMOUS
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.faults.interleaving import Interleavings, Session, Work
from tests.faults.stage import (
    CAPACITY,
    Stage,
    applying,
    book,
    cancelling,
    concert,
    reserved,
    reserving,
)
from tests.pools import patient_pool
from tests.services.bookings.conftest import drift

VIEWER = Viewer(ANONYMOUS, open_access=True)


async def test_states_arrive_in_any_order(interleavings: Interleavings, stage: Stage) -> None:
    """Created, grown and shrunk, heard in every order and mixed: the last revision is in force."""

    async def arrivals() -> list[Work]:
        number = stage.number()
        return [
            applying(concert(number, rev, capacity)) for rev, capacity in ((1, 2), (2, 9), (3, 4))
        ]

    async for outcomes in interleavings.each(arrivals, by_statement=False):
        assert outcomes[2].verdict is Verdict.APPLIED
        assert stage.in_force()[0] == 4


async def test_a_state_arrives_twice_before_the_event_is_known(
    interleavings: Interleavings, stage: Stage
) -> None:
    """One of them stores it, and both hear that it is in force."""

    async def twins() -> list[Work]:
        state = concert(stage.number(), 1, 2)
        return [applying(state), applying(state)]

    async for outcomes in interleavings.each(twins):
        assert [outcome.verdict for outcome in outcomes] == [Verdict.APPLIED] * 2
        assert {outcome.inventory_rev for outcome in outcomes} == {1}


async def test_a_tombstone_outlives_what_comes_late(
    interleavings: Interleavings, stage: Stage
) -> None:
    """Deleted before bookings ever heard of it: nothing that was said earlier revives it."""

    async def burial() -> list[Work]:
        number = stage.number()
        gone = concert(number, 2, 2, status="PUBLISHED", deleted=True)
        return [applying(concert(number, 1, 2)), applying(gone), reserving(number)]

    async for _, buried, _ in interleavings.each(burial, by_statement=False):
        assert buried.verdict is Verdict.APPLIED
        assert stage.in_force()[1:] == (0, "PUBLISHED", True)
        assert stage.live() == 0


async def test_a_delete_meets_a_reservation(interleavings: Interleavings, stage: Stage) -> None:
    """Booked before, it is counted among the cancelled; else refused. Nothing is live then."""

    async def delete() -> list[Work]:
        number = await stage.open()
        return [applying(concert(number, 2, CAPACITY, deleted=True)), reserving(number)]

    seen = set()
    async for closed, outcome in interleavings.each(delete):
        assert closed.cancelled_bookings == reserved(outcome)
        assert stage.live() == 0
        seen.add(reserved(outcome))
    assert seen == {True, False}


async def test_a_shrink_meets_reservations(interleavings: Interleavings, stage: Stage) -> None:
    """It is refused once a second seat is sold, else the second buyer is: never both."""

    async def shrink() -> list[Work]:
        number = await stage.open()
        return [
            applying(concert(number, 2, 1)),
            reserving(number, "ada"),
            reserving(number, "bob"),
        ]

    verdicts = set()
    async for judgement, *outcomes in interleavings.each(shrink):
        verdicts.add(judgement.verdict)
        capacity = 1 if judgement.verdict is Verdict.APPLIED else 2
        assert stage.in_force()[:2] == (capacity, capacity)
        assert sum(map(reserved, outcomes)) == capacity
    assert verdicts == {Verdict.APPLIED, Verdict.REFUSED}


async def test_a_refused_shrink_stays_refused(interleavings: Interleavings, stage: Stage) -> None:
    """Its copy arrives while a seat is given back: one verdict for both, and it has its effect."""
    verdicts = set()

    async def shrink() -> list[Work]:
        number = await stage.open(booked=2)
        state = concert(number, 2, 1)
        return [applying(state), applying(state), cancelling(stage.booking_ids[0])]

    async for first, second, _ in interleavings.each(shrink, by_statement=False):
        assert first.verdict is second.verdict
        verdicts.add(first.verdict)
        capacity = 1 if first.verdict is Verdict.APPLIED else 2
        assert stage.in_force()[:2] == (capacity, 1)
    assert verdicts == {Verdict.APPLIED, Verdict.REFUSED}


async def test_a_cancellation_meets_a_close(interleavings: Interleavings, stage: Stage) -> None:
    """A booking is ended by one of them, and its seats are freed once."""

    async def close() -> list[Work]:
        number = await stage.open(booked=2)
        state = concert(number, 2, CAPACITY, status="CANCELLED")
        return [applying(state), cancelling(stage.booking_ids[0])]

    seen = set()
    async for closed, cancelled in interleavings.each(close):
        was_late = isinstance(cancelled, AlreadyCancelled)
        assert closed.cancelled_bookings == (2 if was_late else 1)
        assert stage.in_force()[1] == stage.live() == 0
        seen.add(was_late)
    assert seen == {True, False}


async def test_two_cancellations_meet_a_reservation(
    interleavings: Interleavings, stage: Stage
) -> None:
    """A full event: the seat is freed once, and sold again at most once."""

    async def cancel() -> list[Work]:
        number = await stage.open(capacity=1, booked=1)
        [booking_id] = stage.booking_ids
        return [cancelling(booking_id), cancelling(booking_id), reserving(number)]

    async for *cancelled, outcome in interleavings.each(cancel):
        assert sum(isinstance(one, AlreadyCancelled) for one in cancelled) == 1
        assert reserved(outcome) or isinstance(outcome, SoldOut)
        assert stage.in_force()[1] == reserved(outcome)


class Direct:
    """Events' port to bookings, without a network between them."""

    def __init__(self, pool: Pool) -> None:
        self._inventory = Inventory(pool)

    async def apply(self, event: revisions.Event) -> Heard:
        """Gives the verdict of bookings."""
        judgement = await self._inventory.apply(event_state(messages.state(event)))
        return events_inventory._verdict(apply_response(judgement))

    async def push(self, event: revisions.Event) -> bool:
        """Tells of what stands already."""
        return (await self.apply(event)).refusal is None

    async def show(self, events: Sequence[revisions.Event]) -> list[Shown]:
        """Counts no seats."""
        return [events_inventory.shown(event, None) for event in events]


def organizing(pool: Pool, direct: Direct) -> tuple[Events, Changes]:
    """Gives what organizers use."""
    idempotency = Idempotency(pool, messages.encode)
    port = cast(events_inventory.Inventory, direct)
    return Events(pool, port, idempotency), Changes(pool, port, idempotency)


def changes_of(session: Session) -> Changes:
    """Gives what organizers use, in a session."""
    return organizing(session.pool("events"), Direct(session.pool("bookings")))[1]


def shrinking(event_id: int, seats: int) -> Work:
    """Has an organizer take seats away."""
    change = Change(event_id, {"total_seats": seats}, None, VIEWER, None)
    return lambda session: changes_of(session).update(change)


def deleting(event_id: int) -> Work:
    """Has an organizer delete the event."""
    return lambda session: changes_of(session).delete(Change(event_id, {}, None, VIEWER, None))


def finishing(target: revisions.Event) -> Work:
    """Has a worker finish what was left over."""
    return lambda session: changes_of(session)._finish(target)


class Catalogued:
    """Makes events in the catalogue, each with a seat booked, and compares both sides."""

    def __init__(self, pools: dict[str, Pool]) -> None:
        self._pools = pools
        self._direct = Direct(pools["bookings"])
        self.events, self.changes = organizing(pools["events"], self._direct)
        self.booking_ids: list[int] = []

    async def create(self, booked: int) -> int:
        """Creates an event, and books seats of it."""
        fields = {"name": "Concert", "total_seats": CAPACITY, "status": "PUBLISHED"}
        shown = await self.events.create(fields, VIEWER, None)
        assert isinstance(shown, Shown)
        pool = self._pools["bookings"]
        self.booking_ids = await book(pool, shown.event.id, booked)
        return shown.event.id

    async def intend(self, event_id: int) -> revisions.Event:
        """Leaves over what a crash does that was to leave one seat; gives what was intended."""
        await self.changes._begin(Change(event_id, {"total_seats": 1}, None, VIEWER, None))
        [target] = await self.changes._targets([event_id])
        return target

    async def settle(self, event_id: int) -> revisions.Event:
        """Has the newest state arrive, as the feed would; gives it."""
        event = await self.events.get_state(event_id)
        await self._direct.push(event)
        return event


@pytest.fixture
async def catalogued(database: Database) -> AsyncIterator[Catalogued]:
    """Gives a catalogue beside the inventory; in the end all counts right."""
    async with (
        patient_pool(database.events_dsn, schema="events", size=2) as events,
        patient_pool(database.bookings_dsn, schema="bookings", size=2) as bookings,
    ):
        yield Catalogued({"events": events, "bookings": bookings})
    assert drift(database) == []


@pytest.mark.parametrize("booked", [1, 2])
async def test_two_organizers_at_once(
    interleavings: Interleavings, catalogued: Catalogued, stage: Stage, booked: int
) -> None:
    """One takes a seat away, one deletes: what was granted holds, what was refused never was."""

    async def quarrel() -> list[Work]:
        stage.orders += 1
        stage.event_id = number = await catalogued.create(booked)
        return [shrinking(number, 1), deleting(number)]

    seen = set()
    async for shrunk, deleted in interleavings.each(quarrel, by_statement=False):
        event = await catalogued.settle(stage.event_id)
        is_shrunk, is_deleted = isinstance(shrunk, Shown), isinstance(deleted, Deleted)
        assert isinstance(deleted, Deleted | ChangePending), deleted
        capacity = 1 if is_shrunk else CAPACITY
        refused = isinstance(shrunk, CapacityBelowBooked)
        assert event.revision == 1 + is_deleted + is_shrunk + 2 * refused
        assert (event.total_seats, event.deleted_at is not None) == (capacity, is_deleted)
        in_force, taken, _, is_closed = stage.in_force()
        assert (in_force, is_closed) == (capacity, is_deleted)
        assert taken == stage.live() == (0 if is_deleted else booked)
        seen.add(type(shrunk))
    decided = Shown if booked == 1 else CapacityBelowBooked
    assert seen == {decided, ChangePending, EventNotFound}


@pytest.mark.parametrize("booked", [1, 2])
async def test_two_finishers_at_once(
    interleavings: Interleavings, catalogued: Catalogued, stage: Stage, booked: int
) -> None:
    """What a crash left over is finished once, by one of those who find it."""

    async def leave() -> list[Work]:
        stage.orders += 1
        stage.event_id = number = await catalogued.create(booked)
        target = await catalogued.intend(number)
        return [finishing(target), finishing(target)]

    async for finished in interleavings.each(leave, by_statement=False):
        event = await catalogued.settle(stage.event_id)
        assert sum(one is not None for one in finished) == 1
        assert (event.revision, event.total_seats) == ((2, 1) if booked == 1 else (3, 2))
        assert stage.in_force()[:2] == (event.total_seats, booked)


async def test_a_finisher_meets_a_late_copy_and_a_cancellation(
    interleavings: Interleavings, catalogued: Catalogued, stage: Stage
) -> None:
    """A seat that is given back meanwhile revives no refusal that somebody has heard."""

    async def leave() -> list[Work]:
        stage.orders += 1
        stage.event_id = number = await catalogued.create(booked=2)
        target = await catalogued.intend(number)
        late = event_state(messages.state(target))
        return [finishing(target), applying(late), cancelling(catalogued.booking_ids[0])]

    seen = set()
    async for outcome, *_ in interleavings.each(leave, by_statement=False):
        event = await catalogued.settle(stage.event_id)
        refused = isinstance(outcome, CapacityBelowBooked)
        assert (event.revision, event.total_seats) == ((3, 2) if refused else (2, 1))
        assert stage.in_force()[:2] == (event.total_seats, 1)
        seen.add(refused)
    assert seen == {True, False}


HERE, THERE = Place("epoch", 1), Place("epoch", 3)


def following(news: FeedPage) -> Work:
    """Has a replica apply what it has just read."""
    feed = cast(Feed, None)

    async def advance(session: Session) -> None:
        pool = session.pool("bookings")
        await Follower(pool, feed, Inventory(pool))._advance(HERE, news)

    return advance


async def test_two_replicas_follow_while_a_push_arrives(
    interleavings: Interleavings, stage: Stage, owner: psycopg.Connection[Any]
) -> None:
    """The place moves once, with what it stands for; what is younger than that stays in force."""

    async def read_twice() -> list[Work]:
        owner.execute("UPDATE following SET epoch = 'epoch', sequence = 1")
        number = stage.number()
        first, second, third = (
            concert(number, rev, capacity, epoch="epoch")
            for rev, capacity in ((1, 5), (2, 6), (3, 7))
        )
        news = FeedPage([first, second], THERE, None, is_last=True)
        return [following(news), following(news), applying(third)]

    async for *followed, pushed in interleavings.each(read_twice):
        assert sorted(type(one).__name__ for one in followed) == ["NoneType", "Overtaken"]
        assert pushed.verdict is Verdict.APPLIED
        assert stage.in_force()[0] == 7
        assert owner.execute("SELECT sequence FROM following").fetchone() == (3,)


async def test_without_the_lock_an_order_sells_what_is_deleted(
    interleavings: Interleavings, broken_stage: Stage, unlocked: Database
) -> None:
    """Negative control of all above: with the lock taken out, some order breaks a promise."""

    async def delete() -> list[Work]:
        number = await broken_stage.open()
        return [applying(concert(number, 2, CAPACITY, deleted=True)), reserving(number)]

    taken = [broken_stage.in_force()[1] async for _ in interleavings.each(delete)]
    assert any(taken)
    assert drift(unlocked)


async def test_without_the_lock_an_order_oversells(
    interleavings: Interleavings, broken_stage: Stage, unlocked: Database
) -> None:
    """Negative control: judged by what was booked before, a shrink goes below what is sold."""

    async def shrink() -> list[Work]:
        number = await broken_stage.open(booked=1)
        return [applying(concert(number, 2, 1)), reserving(number)]

    in_force = [broken_stage.in_force() async for _ in interleavings.each(shrink)]
    assert any(taken > capacity for capacity, taken, *_ in in_force)
    assert drift(unlocked)
