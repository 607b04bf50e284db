"""Interleavings of changes of the catalogue and of the workers that finish them."""

from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from services.bookings.catalogue.messages import apply_response, event_state
from services.bookings.inventory import Inventory
from services.events.access import Viewer
from services.events.errors import CapacityBelowBooked, ChangePending, EventNotFound
from services.events.events import bookings_client, messages, revisions
from services.events.events.bookings_client import BookingsClient, Decision
from services.events.events.changes import Change, Changes
from services.events.events.events import Events
from services.events.events.results import CreatedEvent, DeletedEvent, EventDetails
from services.events.idempotency import Idempotency
from services.kit.auth.authentication import ANONYMOUS
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.faults.events_fixture import (
    CAPACITY,
    EventsFixture,
    applying,
    book,
    cancelling,
)
from tests.faults.interleaving import Interleavings, Session, Work
from tests.pools import patient_pool
from tests.services.bookings.conftest import drift

VIEWER = Viewer(ANONYMOUS, open_access=True)


class InProcessInventory:
    """Stands in for the client of bookings that events uses, without a network."""

    def __init__(self, pool: Pool) -> None:
        self._inventory = Inventory(pool)

    async def apply(self, event: revisions.Event) -> Decision:
        """Returns the decision of bookings."""
        judgement = await self._inventory.apply(event_state(messages.state(event)))
        return bookings_client._decision(apply_response(judgement))

    async def push(self, event: revisions.Event) -> bool:
        """Applies a state that was committed; returns whether bookings accepted it."""
        return (await self.apply(event)).refusal is None

    async def details(self, events: Sequence[revisions.Event]) -> list[EventDetails]:
        """Returns the events without available seats."""
        return [bookings_client.details(event, None) for event in events]


def use_cases(pool: Pool, inventory: InProcessInventory) -> tuple[Events, Changes]:
    """Returns the use cases that organizers call."""
    idempotency = Idempotency(pool, messages.RESPONSES)
    client = cast(BookingsClient, inventory)
    return Events(pool, client, idempotency), Changes(pool, client, idempotency)


def changes_of(session: Session) -> Changes:
    """Returns a session's changes of the catalogue."""
    return use_cases(session.pool("events"), InProcessInventory(session.pool("bookings")))[1]


def shrinking(event_id: int, seats: int) -> Work:
    """Returns work in which an organizer takes seats away."""
    change = Change(event_id, {"total_seats": seats}, None, VIEWER, None)
    return lambda session: changes_of(session).update(change)


def deleting(event_id: int) -> Work:
    """Returns work in which an organizer deletes the event."""
    return lambda session: changes_of(session).delete(Change(event_id, {}, None, VIEWER, None))


def finishing(target: revisions.Event) -> Work:
    """Returns work in which a worker finishes a pending change."""
    return lambda session: changes_of(session)._finish(target)


class Catalogued:
    """Creates events in the catalogue, with seats booked, and synchronises both sides."""

    def __init__(self, pools: dict[str, Pool]) -> None:
        self._pools = pools
        self._inventory_of_bookings = InProcessInventory(pools["bookings"])
        self.events, self.changes = use_cases(pools["events"], self._inventory_of_bookings)
        self.booking_ids: list[int] = []

    async def create(self, booked: int) -> int:
        """Creates an event and books seats of it; returns its id."""
        fields = {"name": "Concert", "total_seats": CAPACITY, "status": "PUBLISHED"}
        created = await self.events.create(fields, VIEWER, None)
        assert isinstance(created, CreatedEvent)
        pool = self._pools["bookings"]
        self.booking_ids = await book(pool, created.event.id, booked)
        return created.event.id

    async def intend(self, event_id: int) -> revisions.Event:
        """Leaves a shrink to one seat pending, as a crash does; returns the intended event."""
        await self.changes._begin(Change(event_id, {"total_seats": 1}, None, VIEWER, None))
        [target] = await self.changes._targets([event_id])
        return target

    async def settle(self, event_id: int) -> revisions.Event:
        """Applies the newest state, as the feed would, and returns it."""
        event = await self.events.get_state(event_id)
        await self._inventory_of_bookings.push(event)
        return event


@pytest.fixture
async def catalogued(database: Database) -> AsyncIterator[Catalogued]:
    """Returns a catalogue beside the inventory; at the end all counts are right."""
    async with (
        patient_pool(database.events_dsn, schema="events", size=2) as events,
        patient_pool(database.bookings_dsn, schema="bookings", size=2) as bookings,
    ):
        yield Catalogued({"events": events, "bookings": bookings})
    assert drift(database) == []


@pytest.mark.parametrize("booked", [1, 2])
async def test_two_concurrent_organizers(
    interleavings: Interleavings, catalogued: Catalogued, events: EventsFixture, booked: int
) -> None:
    """A shrink and a deletion at once could both be granted, or a refused one take effect."""

    async def quarrel() -> list[Work]:
        events.event_id = number = await catalogued.create(booked)
        return [shrinking(number, 1), deleting(number)]

    seen = set()
    async for shrunk, deleted in interleavings.each(quarrel, by_statement=False):
        event = await catalogued.settle(events.event_id)
        is_shrunk, is_deleted = isinstance(shrunk, EventDetails), isinstance(deleted, DeletedEvent)
        assert isinstance(deleted, DeletedEvent | ChangePending), deleted
        capacity = 1 if is_shrunk else CAPACITY
        refused = isinstance(shrunk, CapacityBelowBooked)
        assert event.revision == 1 + is_deleted + is_shrunk + 2 * refused
        assert (event.total_seats, event.deleted_at is not None) == (capacity, is_deleted)
        in_force, taken, _, is_closed = events.in_force()
        assert (in_force, is_closed) == (capacity, is_deleted)
        assert taken == events.live_bookings() == (0 if is_deleted else booked)
        seen.add(type(shrunk))
    decided = EventDetails if booked == 1 else CapacityBelowBooked
    assert seen == {decided, ChangePending, EventNotFound}


@pytest.mark.parametrize("booked", [1, 2])
async def test_two_concurrent_finishers(
    interleavings: Interleavings, catalogued: Catalogued, events: EventsFixture, booked: int
) -> None:
    """A change that a crash left pending would take effect twice, or be refused twice."""

    async def leave() -> list[Work]:
        events.event_id = number = await catalogued.create(booked)
        target = await catalogued.intend(number)
        return [finishing(target), finishing(target)]

    async for finished in interleavings.each(leave, by_statement=False):
        event = await catalogued.settle(events.event_id)
        assert sum(one is not None for one in finished) == 1
        assert (event.revision, event.total_seats) == ((2, 1) if booked == 1 else (3, 2))
        assert events.in_force()[:2] == (event.total_seats, booked)


async def test_a_finisher_with_a_late_copy_and_a_cancellation(
    interleavings: Interleavings, catalogued: Catalogued, events: EventsFixture
) -> None:
    """A cancellation meanwhile could turn a refusal, that was answered, into a success."""

    async def leave() -> list[Work]:
        events.event_id = number = await catalogued.create(booked=2)
        target = await catalogued.intend(number)
        late = event_state(messages.state(target))
        return [finishing(target), applying(late), cancelling(catalogued.booking_ids[0])]

    seen = set()
    async for outcome, *_ in interleavings.each(leave, by_statement=False):
        event = await catalogued.settle(events.event_id)
        refused = isinstance(outcome, CapacityBelowBooked)
        assert (event.revision, event.total_seats) == ((3, 2) if refused else (2, 1))
        assert events.in_force()[:2] == (event.total_seats, 1)
        seen.add(refused)
    assert seen == {True, False}
