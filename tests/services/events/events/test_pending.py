import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from services.events.access import Viewer
from services.events.errors import CapacityBelowBooked
from services.events.events.changes import Change, Changes
from services.events.events.results import DeletedEvent, EventDetails, PendingChange
from services.kit.auth.authentication import ANONYMOUS
from tests.conftest import Database
from tests.services.events.client import (
    CANCELLED,
    Client,
    change_rows,
    eventually,
    refused,
    rows,
)
from tests.services.events.conftest import Serve
from tests.services.events.scripted import ScriptedBookings, Trouble, crash, hang

VIEWER = Viewer(ANONYMOUS, open_access=True)


def shrink(event_id: int, seats: int) -> Change:
    """Returns a change that bookings has to decide."""
    return Change(event_id, {"total_seats": seats}, None, VIEWER, None)


def let_time_pass(database: Database) -> None:
    """Makes open intents old enough for the worker."""
    change_rows(database, "UPDATE intents SET attempted_at = attempted_at - interval '1 minute'")


async def nothing_is_pending(database: Database) -> bool:
    """Returns whether every intent is finished."""
    return rows(database, "SELECT count(*) FROM intents") == [(0,)]


@pytest.mark.parametrize("trouble", [crash, hang])
async def test_without_a_decision_the_outcome_is_unknown(
    client: Client, bookings: ScriptedBookings, database: Database, trouble: Trouble
) -> None:
    """A change without a decision would be reported as done, or never be finished."""
    created = await client.create(total_seats=100)
    bookings.trouble = trouble
    with refused("OUTCOME_UNKNOWN"):
        await client.update(created.id, total_seats=50)
    for attempt in (
        client.update(created.id, name="Rock"),
        client.update(created.id, total_seats=10),
        client.delete(created.id),
    ):
        with refused("CHANGE_PENDING"):
            await attempt
    assert (await client.get(created.id)).total_seats == 100
    assert (await client.state(created.id)).revision == 1
    bookings.trouble = None
    let_time_pass(database)
    await eventually(lambda: nothing_is_pending(database))
    finished = await client.get(created.id)
    assert (finished.total_seats, finished.version) == (50, 2)


async def test_a_pending_change_is_not_stored_for_a_key(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """A key would be refused for a day because of a change that is over."""
    created = await client.create(total_seats=100)
    bookings.trouble = crash
    with refused("OUTCOME_UNKNOWN"):
        await client.update(created.id, total_seats=50)
    for _ in range(2):
        with refused("CHANGE_PENDING") as refusal:
            await client.update(created.id, name="Rock", request_id="key")
        assert "replayed" not in refusal.metadata
    bookings.trouble = None
    let_time_pass(database)
    await eventually(lambda: nothing_is_pending(database))
    assert (await client.update(created.id, name="Rock", request_id="key")).name == "Rock"


async def test_a_lost_decision_is_repeated(
    client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """A repetition after a lost response would be decided differently."""
    created = await client.create(total_seats=100)
    bookings.booked[created.id] = 60
    bookings.trouble_after = crash
    with refused("OUTCOME_UNKNOWN"):
        await client.update(created.id, total_seats=50)
    bookings.booked[created.id] = 0
    bookings.trouble_after = None
    let_time_pass(database)
    await eventually(lambda: nothing_is_pending(database))
    after = await client.get(created.id)
    assert (after.total_seats, after.version) == (100, 3)


async def test_another_replica_finishes_what_a_crash_left_over(
    serve: Serve, bookings: ScriptedBookings, database: Database
) -> None:
    """A change whose process died would stay pending for ever."""
    bookings.trouble = crash
    async with serve() as first:
        created = await first.create(total_seats=100)
        with refused("OUTCOME_UNKNOWN"):
            await first.delete(created.id)
    bookings.trouble = None
    let_time_pass(database)
    async with serve() as second:
        await eventually(lambda: nothing_is_pending(database))
        with refused("EVENT_NOT_FOUND"):
            await second.get(created.id)
        assert bookings.states[created.id].deleted


async def test_a_fresh_intent_is_left_to_its_request(changes: Changes, client: Client) -> None:
    """The worker would do the work of each request a second time."""
    created = await client.create()
    await changes._begin(shrink(created.id, 50))
    await changes.finish_pending()
    with refused("CHANGE_PENDING"):
        await client.update(created.id, name="Rock")


async def test_two_workers_do_not_take_the_same_intent(
    changes: Changes, client: Client, bookings: ScriptedBookings, database: Database
) -> None:
    """All replicas would try the same intents while bookings is down."""
    created = await client.create()
    await changes._begin(shrink(created.id, 50))
    bookings.heard.clear()
    bookings.trouble = crash
    let_time_pass(database)
    await changes.finish_pending()
    await changes.finish_pending()
    assert len(bookings.heard) == 1


async def test_of_several_finishers_one_writes(changes: Changes, client: Client) -> None:
    """A late finisher would overwrite later changes."""
    created = await client.create(total_seats=100)
    pending = await changes._begin(shrink(created.id, 50))
    assert pending == PendingChange(2)
    [target] = await changes._targets([created.id])
    outcomes = await asyncio.gather(*(changes._finish(target) for _ in range(4)))
    assert sum(isinstance(outcome, EventDetails) for outcome in outcomes) == 1
    await client.update(created.id, name="Rock", total_seats=70)
    assert await changes._finish(target) is None
    event = await client.get(created.id)
    assert (event.version, event.name, event.total_seats) == (3, "Rock", 70)


async def test_a_late_finisher_of_a_refused_change_is_harmless(
    changes: Changes, client: Client, bookings: ScriptedBookings
) -> None:
    """A refused change would be made after all, once seats are given back."""
    created = await client.create(total_seats=100)
    bookings.booked[created.id] = 60
    await changes._begin(shrink(created.id, 50))
    [target] = await changes._targets([created.id])
    assert isinstance(await changes._finish(target), CapacityBelowBooked)
    bookings.booked[created.id] = 0
    assert await changes._finish(target) is None
    event = await client.get(created.id)
    assert (event.version, event.total_seats) == (3, 100)
    assert bookings.states[created.id].total_seats == 100


async def test_a_request_overtaken_by_a_finisher_is_unknown(
    changes: Changes, client: Client, bookings: ScriptedBookings
) -> None:
    """A request would be told a result that it does not know."""
    created = await client.create()

    async def finish_elsewhere() -> None:
        bookings.seats_trouble = None
        [target] = await changes._targets([created.id])
        await changes._finish(target)

    bookings.seats_trouble = finish_elsewhere
    with refused("OUTCOME_UNKNOWN"):
        await client.update(created.id, total_seats=50)
    assert (await client.get(created.id)).version == 2


async def test_a_catalogue_that_was_set_back_catches_up(
    client: Client, bookings: ScriptedBookings
) -> None:
    """After a restore no change would ever pass bookings' revision."""
    created = await client.create()
    bookings.states[created.id].revision = 3
    with refused("VERSION_MISMATCH"):
        await client.update(created.id, total_seats=50)
    assert (await client.get(created.id)).version == 3
    bookings.verdicts.clear()
    await client.update(created.id, name="Rock")
    assert (await client.update(created.id, total_seats=50)).version == 5


@pytest.mark.parametrize("closing", ["cancel", "delete"])
async def test_a_pending_close_is_finished_with_its_count(
    changes: Changes, client: Client, bookings: ScriptedBookings, closing: str
) -> None:
    """A key would be told another number of cancelled bookings than its request."""
    created = await client.create()
    bookings.booked[created.id] = 5
    if closing == "cancel":
        await changes._begin(Change(created.id, {"status": "CANCELLED"}, None, VIEWER, None))
    else:
        bookings.trouble = crash
        with refused("OUTCOME_UNKNOWN"):
            await client.delete(created.id)
        bookings.trouble = None
    [target] = await changes._targets([created.id])
    outcome = await changes._finish(target)
    if closing == "delete":
        assert outcome == DeletedEvent(created.id, 5)
    else:
        assert isinstance(outcome, EventDetails)
        assert outcome.event.status == "CANCELLED"
        assert (await client.get(created.id)).status == CANCELLED


async def test_two_shrinks_at_once_leave_one_pending_or_take_turns(client: Client) -> None:
    """Concurrent changes would share a revision, or the last one be lost."""
    created = await client.create(total_seats=1000)
    attempts: list[Awaitable[Any]] = [
        client.update(created.id, total_seats=seats) for seats in (500, 400, 300)
    ]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    done = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    reasons = {o.reason for o in outcomes if isinstance(o, BaseException) and hasattr(o, "reason")}
    assert done
    assert reasons <= {"CHANGE_PENDING"}
    assert len({event.version for event in done}) == len(done)
    last = max(done, key=lambda event: event.version)
    assert (await client.get(created.id)).total_seats == last.total_seats
