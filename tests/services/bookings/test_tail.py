import asyncio

import pytest

from services.bookings import tail as tails
from services.bookings.inventory import Inventory
from services.bookings.reservations.reservations import Reservations
from services.bookings.tail import SQL, LedgerTail, LedgerWatcher, pause_after
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert
from tests.services.bookings.tails import TAILS, following

SEATS = 60


@pytest.fixture(params=TAILS)
def tail(request: pytest.FixtureRequest, pool: Pool) -> LedgerTail:
    """Returns a tail that reads when a test says so."""
    made: LedgerTail = request.param(pool)
    return made


def revs(watcher: LedgerWatcher) -> list[int]:
    """Takes the changes of a watcher; returns their revisions."""
    return [change.rev for change in watcher.take()]


@pytest.mark.parametrize(
    ("make", "is_right"), [*((make, True) for make in TAILS), (LedgerTail, False)]
)
async def test_each_change_reaches_each_watcher_once(
    database: Database,
    inventory: Inventory,
    reservations: Reservations,
    monkeypatch: pytest.MonkeyPatch,
    make: type[LedgerTail],
    is_right: bool,
) -> None:
    """A seat would be shown as taken twice: with `>=` the last change is read again."""
    if not is_right:
        statement = SQL["read_on"].replace(b"rev > watched.after", b"rev >= watched.after")
        monkeypatch.setattr(tails, "SQL", {**SQL, "read_on": statement})
    for event_id in (1, 2):
        await inventory.apply(concert(event_id, SEATS))
    async with following(database, make) as tail:
        with tail.watched(1, 1) as first, tail.watched(1, 1) as second, tail.watched(2, 1) as other:
            for number in range(SEATS):
                await booked(reservations, [seat(event, f"user{number}") for event in (1, 2)])
            got = [await _all_of(watcher) for watcher in (first, second, other)]
    assert (got == [list(range(2, SEATS + 2))] * 3) is is_right


async def _all_of(watcher: LedgerWatcher) -> list[int]:
    got: list[int] = []
    async with asyncio.timeout(30):
        while SEATS + 1 not in got:
            await watcher.wait(asyncio.get_running_loop().time() + 30)
            got += revs(watcher)
    return got


@pytest.mark.parametrize(
    ("reads", "pause"), [([0.001], 0.025), ([0.1, 0.001, 0.1], 0.025), ([0.1, 0.2, 0.1], 0.9)]
)
def test_reads_take_a_tenth_of_a_backend_at_most(reads: list[float], pause: float) -> None:
    """A read that had waited for the processor would delay what others see by ten times that.

    Reads that always take long would leave no time for bookings.
    """
    assert pause_after(reads) == pytest.approx(pause)


async def test_an_event_is_read_on_from_where_its_first_watcher_began(
    inventory: Inventory, reservations: Reservations, tail: LedgerTail
) -> None:
    """A second watcher would get what was read before, or move the first one forward."""
    await inventory.apply(concert(1))
    with tail.watched(1, 1) as first:
        await booked(reservations, [seat(1, "ada")])
        await tail.read()
        with tail.watched(1, 2) as second:
            await booked(reservations, [seat(1, "bob")])
            await tail.read()
            assert (revs(first), revs(second)) == ([2, 3], [3])
        await booked(reservations, [seat(1, "eve")])
        await tail.read()
        assert (revs(first), revs(second)) == ([4], [])


async def test_a_watcher_that_takes_nothing_is_dropped(
    inventory: Inventory,
    reservations: Reservations,
    tail: LedgerTail,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One slow watcher would fill the memory."""
    monkeypatch.setattr(tails, "MOST_UNDELIVERED", 2)
    await inventory.apply(concert(1))
    with tail.watched(1, 1) as slow, tail.watched(1, 1) as quick:
        for user in ("ada", "bob", "eve"):
            await booked(reservations, [seat(1, user)])
            await tail.read()
            assert len(quick.take()) == 1
        assert slow.is_full
        assert not quick.is_full
        assert slow.take() == []


async def test_nothing_is_read_while_nobody_watches(
    inventory: Inventory, tail: LedgerTail, pool: Pool
) -> None:
    """Every replica would ask the database 40 times a second for nothing."""
    await inventory.apply(concert(1))
    with tail.watched(1, 1):
        await tail.follow()
    asked = pool.get_stats()["requests_num"]
    following = asyncio.ensure_future(tail.follow())
    await asyncio.sleep(0)
    assert pool.get_stats()["requests_num"] == asked
    with tail.watched(1, 1):
        await following
    assert pool.get_stats()["requests_num"] == asked + 1
