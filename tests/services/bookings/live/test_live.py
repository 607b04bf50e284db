import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from services.bookings import tail as tails
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound, TooSlow
from services.bookings.inventory import Inventory
from services.bookings.live.live import Live, Position, Snapshot, Update
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import ScriptedCatalogue, concert
from tests.services.bookings.tails import TAILS, following

BUYERS, EACH = 4, 25
SOLD = BUYERS * EACH
NEW = Position()


class Interrupted(Live):
    """Does something else right after it has read its first snapshot."""

    then: Callable[[], Awaitable[None]] | None = None

    async def _snapshot(self, event_id: int) -> Snapshot:
        snapshot = await super()._snapshot(event_id)
        then, self.then = self.then, None
        if then:
            await then()
        return snapshot


class Late(Interrupted):
    """Begins to watch after it has read its first snapshot."""

    early: Snapshot | None = None

    async def watch(
        self, event_id: int, rev: int, position: Position, history: int
    ) -> AsyncGenerator[Update, None]:
        """See Live."""
        self.early = await super()._snapshot(event_id)
        async for update in super().watch(event_id, rev, position, history):
            yield update

    async def _snapshot(self, event_id: int) -> Snapshot:
        early, self.early = self.early, None
        return early or await super()._snapshot(event_id)


async def updates_until(live: Live, rev: int, position: Position = NEW) -> list[Update]:
    """Watches event 1 until a revision."""
    updates: list[Update] = []
    async with contextlib.aclosing(live.watch(1, 1, position, 0)) as watch, asyncio.timeout(30):
        async for update in watch:
            updates.append(update)
            if update.rev >= rev:
                break
    return updates


def revs(updates: list[Update]) -> list[int]:
    """Lists the revisions of all changes."""
    return [change.rev for update in updates for change in update.changes]


async def test_watchers_of_two_replicas_get_each_change_once(
    database: Database, inventory: Inventory, scripted: ScriptedCatalogue
) -> None:
    """Amid sales by both replicas a change would be lost, or seats be shown as taken twice."""
    await inventory.apply(concert(1, SOLD))

    async def buy(office: Reservations, buyer: int) -> None:
        for number in range(EACH):
            await booked(office, [seat(1, f"user{buyer}-{number}")])

    async with contextlib.AsyncExitStack() as stack:
        offices, lives = [], []
        for _ in range(2):
            pool = patient_pool(database.bookings_dsn, schema="bookings", size=4)
            await stack.enter_async_context(pool)
            tail = await stack.enter_async_context(following(database, TAILS[0]))
            offices.append(_office(pool, scripted))
            lives.append(Live(pool, tail))
        watching = asyncio.gather(
            *(updates_until(live, SOLD + 1) for live in (lives[0], lives[0], lives[1]))
        )
        await asyncio.gather(*(buy(offices[buyer % 2], buyer) for buyer in range(BUYERS)))
        for first, *changes in await watching:
            assert first.snapshot is not None
            assert all(update.snapshot is None for update in changes)
            assert revs(changes) == list(range(first.rev + 1, SOLD + 2))


def _office(pool: Pool, scripted: ScriptedCatalogue) -> Reservations:
    inventory = Inventory(pool)
    return Reservations(inventory, Catalogue(scripted.fetch, inventory))


@pytest.mark.parametrize("kind", [Interrupted, Late])
async def test_a_change_right_after_the_snapshot_is_not_lost(
    inventory: Inventory, reservations: Reservations, pool: Pool, kind: type[Interrupted]
) -> None:
    """If the watch begins after the snapshot, the tail has passed the change over by then."""
    await inventory.apply(concert(1))
    tail = TAILS[0](pool)
    live = kind(pool, tail)

    async def sell() -> None:
        await booked(reservations, [seat(1, "ada")])
        await tail.read()

    live.then = sell
    with tail.watched(1, 1):
        async with contextlib.aclosing(live.watch(1, 1, NEW, 0)) as watch:
            assert (await anext(watch)).rev == 1
            await booked(reservations, [seat(1, "bob")])
            await tail.read()
            second = await anext(watch)
    assert (revs([second]) == [2, 3]) is (kind is Interrupted)


async def test_a_watch_goes_on_where_the_former_one_ended(
    inventory: Inventory, reservations: Reservations, live: Live
) -> None:
    """A client that was cut off would miss changes, or get all seats again."""
    await inventory.apply(concert(1))
    await booked(reservations, [seat(1, user) for user in ("ada", "bob", "eve")])
    [missed] = await updates_until(live, 4, Position(2))
    assert (missed.rev, revs([missed]), missed.snapshot) == (4, [3, 4], None)
    [nothing] = await updates_until(live, 4, Position(4))
    assert (nothing.rev, nothing.changes, nothing.snapshot) == (4, [], None)


@pytest.mark.parametrize("position", [NEW, Position(5), Position(2, 9)])
async def test_a_watch_that_cannot_go_on_begins_anew(
    inventory: Inventory, reservations: Reservations, live: Live, position: Position
) -> None:
    """A client from the future, or with another version of the event, would show wrong seats."""
    await inventory.apply(concert(1))
    await booked(reservations, [seat(1, user) for user in ("ada", "bob", "eve")])
    [first] = await updates_until(live, 4, position)
    assert first.snapshot is not None
    assert (first.snapshot.total_seats, first.snapshot.left) == (50, 47)


async def test_a_watch_that_is_far_behind_begins_anew(
    inventory: Inventory, reservations: Reservations, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of yesterday would get thousands of changes, one after the other."""
    monkeypatch.setattr("services.bookings.live.live.MOST_MISSED", 1)
    await inventory.apply(concert(1))
    await booked(reservations, [seat(1, user) for user in ("ada", "bob", "eve")])
    assert (await updates_until(live, 4, Position(2)))[0].snapshot is not None
    assert (await updates_until(live, 4, Position(3)))[0].snapshot is None


async def test_a_snapshot_brings_the_changes_before_it(
    inventory: Inventory, reservations: Reservations, live: Live
) -> None:
    """A gateway that was started anew could not serve clients that were connected before."""
    await inventory.apply(concert(1))
    await booked(reservations, [seat(1, user) for user in ("ada", "bob")])
    await inventory.apply(concert(1, 60, rev=2))
    await booked(reservations, [seat(1, user) for user in ("eve", "kim")])

    async def past(history: int) -> list[int]:
        async with contextlib.aclosing(live.watch(1, 1, NEW, history)) as watch:
            return revs([await anext(watch)])

    assert await past(1) == [6]
    assert await past(9) == [5, 6], "those before the event was resized are of no use"


async def test_a_changed_event_is_shown_anew(inventory: Inventory, live: Live) -> None:
    """A client would count the seats of before, or not learn that the event was cancelled."""
    await inventory.apply(concert(1))
    async with contextlib.aclosing(live.watch(1, 1, NEW, 0)) as watch, asyncio.timeout(30):
        await anext(watch)
        for rev, capacity, status in ((2, 60, "PUBLISHED"), (3, 60, "COMPLETED")):
            await inventory.apply(concert(1, capacity, rev=rev, status=status))
            snapshot = (await anext(watch)).snapshot
            assert snapshot is not None
            assert (snapshot.total_seats, snapshot.status) == (capacity, status)
        await inventory.apply(concert(1, 60, rev=4, status="CANCELLED", deleted=True))
        with pytest.raises(EventNotFound):
            await anext(watch)


async def test_a_slow_watch_is_ended(
    inventory: Inventory,
    reservations: Reservations,
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would go on with a gap."""
    monkeypatch.setattr(tails, "MOST_UNDELIVERED", 1)
    await inventory.apply(concert(1))
    tail = TAILS[0](pool)
    async with contextlib.aclosing(Live(pool, tail).watch(1, 1, NEW, 0)) as watch:
        await anext(watch)
        await booked(reservations, [seat(1, user) for user in ("ada", "bob")])
        await tail.read()
        with pytest.raises(TooSlow):
            await anext(watch)


async def test_a_watch_ends_with_its_time_or_its_process(
    inventory: Inventory, pool: Pool, live: Live
) -> None:
    """A replica that stops would wait for its watchers, or one would have all of them for ever."""
    await inventory.apply(concert(1))
    tail = TAILS[0](pool)
    stopping = asyncio.Event()
    watch = Live(pool, tail).watch(1, 1, NEW, 0)
    await anext(watch)
    ended = asyncio.ensure_future(anext(watch, None))
    stopping.set()
    await tail.end(stopping)
    assert await ended is None
    assert len([update async for update in Live(pool, tail, seconds=0).watch(1, 1, NEW, 0)]) == 1
