import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from boxoffice.bookings.v1 import queue_pb2
from gateway.live.pace import PACE
from gateway.live.queues.line import WaitingLine
from gateway.live.queues.updates import update_of
from services.bookings import tail as tails
from services.bookings.errors import QueueOff, TooSlow
from services.bookings.inventory.restoring import Restores
from services.bookings.queue import admissions, messages
from services.bookings.queue.admissions import PRESENT_SECONDS, Admissions
from services.bookings.queue.queues import Holder, Queues
from services.bookings.queue.tail import QueueTail
from services.bookings.queue.watching import LineUpdate, QueueWatches
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.pools import PATIENT, patient_pool
from tests.services.bookings.inventory.test_restoring import seem_restored
from tests.services.bookings.queue.conftest import Waiting
from tests.services.bookings.tails import following

SECONDS = 30
RESTORED = 1_000_000_000


class Mirror:
    """The line as a gateway has it, from a watch of one replica of bookings."""

    def __init__(self, watches: QueueWatches) -> None:
        self._updates = watches.watch(1)
        self.line: WaitingLine | None = None
        self.seq = 0

    async def until(self, seq: int) -> None:
        """Reads until change `seq`."""
        async with asyncio.timeout(SECONDS):
            while self.line is None or self.seq < seq:
                update = await anext(self._updates)
                for response in messages.responses(update):
                    if self.line is None:
                        self.line = WaitingLine(1, response, PACE)
                    else:
                        self.line.receive(response)
                    self.seq = response.seq

    def position(self, place: int) -> int | None:
        """Returns the position of a place, as its holder is told."""
        assert self.line is not None
        held = queue_pb2.HeldPlace(state=queue_pb2.QUEUE_STATE_WAITING, place=place)
        return update_of(self.line._queue, self.line._waiting, held).position

    async def close(self) -> None:
        """Ends the watch."""
        await self._updates.aclose()


@contextlib.asynccontextmanager
async def replica(database: Database) -> AsyncIterator[tuple[Pool, QueueWatches]]:
    """Opens what a replica of bookings has."""
    async with (
        patient_pool(database.bookings_dsn, schema="bookings", size=4, session=PATIENT) as pool,
        following(database, QueueTail) as tail,
    ):
        yield pool, QueueWatches(pool, tail)


async def waiting(line: Waiting) -> dict[int, int]:
    """Counts the positions of all places that wait, in the database."""
    rows = await line.rows("""
        SELECT place, row_number() OVER (ORDER BY place) FROM queue_entries WHERE state = 'WAITING'
    """)
    return dict(rows)


async def test_gateways_of_two_replicas_tell_the_same_positions(
    database: Database, line: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People would see another position with every reload; the count in the database is right."""
    monkeypatch.setattr(messages, "MOST_PLACES", 3)
    await line.open(rate_per_minute=240)
    chance = random.Random(5)
    people: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(database)) for _ in range(2)]
        mirrors = [Mirror(watches) for _, watches in replicas for _ in range(2)]
        for mirror in mirrors:
            stack.push_async_callback(mirror.close)
        for step in range(6):
            offices = [Queues(pool) for pool, _ in replicas]
            names = [[f"user-{step}-{office}-{n}" for n in range(5)] for office in range(2)]
            joined = await asyncio.gather(
                *(office.join(1, named) for office, named in zip(offices, names, strict=True))
            )
            people += [each.token for batch in joined for each in batch]
            await line.pass_time(PRESENT_SECONDS / 3)
            present = chance.sample(people, len(people) // 2)
            await asyncio.gather(
                offices[0].see([Holder(1, token) for token in present]),
                offices[1].leave(Holder(1, people.pop(0))),
                *(Admissions(pool).admit() for pool, _ in replicas),
            )
            await Admissions(replicas[step % 2][0]).sweep()
            [(seq,)] = await line.rows("SELECT seq FROM queues")
            counted = await waiting(line)
            for mirror in mirrors:
                await mirror.until(seq)
                assert {place: mirror.position(place) for place in counted} == counted
                assert mirror.line is not None
                assert len(mirror.line._waiting) == len(counted)


class Interrupted(QueueWatches):
    """Does something else right after it has read its first snapshot."""

    then: Callable[[], Awaitable[None]] | None = None

    async def _snapshot(self, event_id: int) -> LineUpdate:
        snapshot = await super()._snapshot(event_id)
        then, self.then = self.then, None
        if then:
            await then()
        return snapshot


class Late(Interrupted):
    """Begins to watch after it has read its first snapshot."""

    early: LineUpdate | None = None

    async def watch(self, event_id: int) -> AsyncGenerator[LineUpdate, None]:
        """See QueueWatches."""
        self.early = await super()._snapshot(event_id)
        async for update in super().watch(event_id):
            yield update

    async def _snapshot(self, event_id: int) -> LineUpdate:
        early, self.early = self.early, None
        return early or await super()._snapshot(event_id)


def waits(update: LineUpdate) -> list[int]:
    """Lists the places of all changes."""
    return [place for change in update.changes for place in change.places]


@pytest.mark.parametrize("kind", [Interrupted, Late])
async def test_who_joins_right_after_the_snapshot_is_not_lost(
    line: Waiting, kind: type[Interrupted]
) -> None:
    """All positions behind theirs would be wrong: the tail passes a change only once."""
    await line.open()
    await line.join("ada")
    tail = QueueTail(line.pool)
    watches = kind(line.pool, tail)

    async def join() -> None:
        await line.join("bob")
        await tail.read()

    watches.then = join
    with tail.watched(1, 1):
        async with contextlib.aclosing(watches.watch(1)) as watch:
            assert (await anext(watch)).seq == 1
            await line.join("eve")
            await tail.read()
            second = await anext(watch)
    assert (waits(second) == [2, 3]) is (kind is Interrupted)


async def test_forgotten_changes_are_replaced_by_a_snapshot(
    line: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway behind a slow line would count people who are not there any more."""
    monkeypatch.setattr(admissions, "KEPT_CHANGES", 1)
    await line.open(rate_per_minute=0)
    tail = QueueTail(line.pool)
    async with contextlib.aclosing(QueueWatches(line.pool, tail).watch(1)) as watch:
        assert len((await anext(watch)).line.places) == 0  # type: ignore[union-attr]
        for name in ("ada", "bob", "eve"):
            await line.join(name)
        await line.admissions.sweep()
        await tail.read()
        update = await anext(watch)
        assert update.line is not None
        assert (update.seq, len(update.line.places)) == (3, 3)


async def test_a_restored_database_is_noticed(line: Waiting, database: Database) -> None:
    """Gateways would go on from changes that the backup does not have, and miss the next ones."""
    await line.open(rate_per_minute=0)
    restores = Restores(line.pool)
    await restores.raise_revisions()
    await line.join("ada")
    tail = QueueTail(line.pool)
    async with contextlib.aclosing(QueueWatches(line.pool, tail).watch(1)) as watch:
        await anext(watch)
        seem_restored(database)
        await restores.raise_revisions()
        await tail.read()
        update = await anext(watch)
        assert update.line is not None
        assert (update.seq > RESTORED, len(update.line.places)) == (True, 1)
        [late] = await line.join("bob")
        assert late.place.position == 2


async def test_a_watch_that_takes_nothing_is_ended(
    line: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One slow gateway would fill the memory of bookings."""
    monkeypatch.setattr(tails, "MOST_UNDELIVERED", 1)
    await line.open()
    tail = QueueTail(line.pool)
    async with contextlib.aclosing(QueueWatches(line.pool, tail).watch(1)) as watch:
        await anext(watch)
        for name in ("ada", "bob"):
            await line.join(name)
        await tail.read()
        with pytest.raises(TooSlow):
            await anext(watch)


async def test_settings_and_waits_are_told_without_a_change_of_places(line: Waiting) -> None:
    """Holders would not learn that the queue was switched off, or that nobody is admitted now."""
    await line.open(rate_per_minute=60)
    tail = QueueTail(line.pool)
    async with contextlib.aclosing(QueueWatches(line.pool, tail).watch(1)) as watch:
        first = await anext(watch)
        assert (first.state.enabled, first.state.per_minute) == (True, 60)
        await tail.read()
        for enabled, rate in ((True, 0), (False, 0)):
            await line.open(enabled=enabled, rate_per_minute=rate)
            await tail.read()
            update = await anext(watch)
            assert (update.state.enabled, update.state.per_minute) == (enabled, rate)
            assert update.changes == []


async def test_a_watch_ends_with_its_time_or_its_process(line: Waiting) -> None:
    """A replica that stops would wait for its gateways, or one would have all of them for ever."""
    await line.open()
    tail = QueueTail(line.pool)
    watch = QueueWatches(line.pool, tail).watch(1)
    await anext(watch)
    ended: asyncio.Future[Any] = asyncio.ensure_future(anext(watch, None))
    stopping = asyncio.Event()
    stopping.set()
    await tail.end(stopping)
    assert await ended is None
    short = QueueWatches(line.pool, QueueTail(line.pool), seconds=0)
    assert len([update async for update in short.watch(1)]) == 1


async def test_an_event_without_a_queue_has_no_line(line: Waiting) -> None:
    """A gateway would watch for ever what never comes."""
    with pytest.raises(QueueOff):
        await anext(QueueWatches(line.pool, QueueTail(line.pool)).watch(1))
