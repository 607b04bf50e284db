import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from services.bookings.feed.changes import Changes
from services.bookings.feed.tail import Tail
from services.bookings.inventory import Inventory
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.feed.door import Door
from tests.services.bookings.feed.reader import Reader
from tests.services.bookings.feed.test_tail import session
from tests.services.bookings.tails import FEED_TAILS

MINUTE = timedelta(minutes=1)
GUESTS, SCANNERS = 64, 32
ADD_SCAN = """
    INSERT INTO ticket_scans (event_id, code_id, nonce, scanned_at, received_at, was_first)
    SELECT event_id, code_id, 'late', now(), now(), true
    FROM ticket_codes
    WHERE ticket_id = %s
"""


@pytest.fixture(params=FEED_TAILS)
def kind(request: pytest.FixtureRequest) -> type[Tail]:
    """Returns each kind of tail."""
    return cast("type[Tail]", request.param)


@pytest.fixture
async def door(pool: Pool, inventory: Inventory, reservations: Reservations) -> Door:
    """Opens the door of an event."""
    opened = Door(pool, inventory, reservations)
    await opened.open(capacity=200)
    return opened


async def test_an_admission_names_the_ticket_and_its_booking(
    door: Door, tail: Tail, changes: Changes
) -> None:
    """A program of the organizer could not tell who has come."""
    sold = await door.sell("ada")
    await door.scan(sold)
    await tail.advance()
    reader = Reader()
    await reader.read(changes)
    last = reader.changes[-1]
    assert (last.kind, last.user_id, last.booking_id, last.ticket_id, last.rev) == (
        "CHECKED_IN",
        "ada",
        sold.booking_id,
        sold.ticket_id,
        reader.revs[1][-1],
    )
    assert len({change.id for change in reader.changes}) == len(reader.changes)


async def test_admissions_stand_between_the_changes_that_they_came_between(
    door: Door, tail: Tail, changes: Changes
) -> None:
    """Somebody would seem to be admitted with a booking that was cancelled before."""
    first, second = await door.sell("ada"), await door.sell("bob")
    await tail.advance()
    reader = Reader()
    await reader.read(changes)
    seen = len(reader.changes)
    await door.scan(first)
    await door.cancel(first)
    # It was scanned without a network, before it was cancelled.
    await door.cancel(second)
    await door.scan(second, at=datetime.now(UTC) - MINUTE)
    await tail.advance()
    await reader.read(changes)
    news = [(change.kind, change.user_id) for change in reader.changes[seen:]]
    assert news == [
        ("CHECKED_IN", "ada"),
        ("CANCELLED", "ada"),
        ("CANCELLED", "bob"),
        ("CHECKED_IN", "bob"),
    ]


async def test_a_second_scan_that_let_somebody_in_is_a_double_admission(
    door: Door, tail: Tail, changes: Changes
) -> None:
    """The organizer would not learn of it, or not if the second scan was the earlier one."""
    sold, now = await door.sell("ada"), datetime.now(UTC).replace(microsecond=0)
    for nonce, minutes in (("second", 2), ("third", 1), ("first", 3), ("third", 1)):
        await door.scan(sold, nonce, now - minutes * MINUTE)
    await tail.advance()
    reader = Reader(limit=1)
    await reader.read(changes)
    admissions = [(each.kind, each.at) for each in reader.changes if each.ticket_id]
    assert admissions == [
        ("CHECKED_IN", now - 2 * MINUTE),
        ("DOUBLE_ADMISSION", now - MINUTE),
        ("DOUBLE_ADMISSION", now - 3 * MINUTE),
    ]


async def test_an_admission_that_commits_late_is_read_after_faster_ones(
    database: Database, door: Door, tail: Tail, changes: Changes
) -> None:
    """A cursor would have passed it over, since nothing locks the event while somebody scans."""
    slow, fast = await door.sell("ada"), await door.sell("bob")
    reader = Reader()
    async with session(database) as scanner:
        await scanner.execute(ADD_SCAN, [slow.ticket_id])
        await door.scan(fast)
        await tail.advance()
        await reader.read(changes)
        await scanner.commit()
    await tail.advance()
    await reader.read(changes)
    assert [each.user_id for each in reader.changes if each.ticket_id] == ["bob", "ada"]


async def test_many_scanners_and_a_sale_are_read_once_each_across_restarts(
    pool: Pool, door: Door, reservations: Reservations, kind: type[Tail]
) -> None:
    """A change would be lost between a sale that locks the event and scanners that do not."""
    sold = [await door.sell(f"guest {number}") for number in range(GUESTS)]
    readers, waiting = [Reader(), Reader(limit=7)], list(sold)

    async def scan() -> None:
        while waiting:
            await door.scan(waiting.pop())

    async def sell(buyer: int) -> None:
        for number in range(10):
            await booked(reservations, [seat(1, f"buyer {buyer}-{number}")])

    async def follow(reader: Reader) -> None:
        # Each replica that is asked has been started since.
        while not working.done():
            await kind(pool).advance()
            await reader.read(Changes(pool))

    working = asyncio.gather(*(scan() for _ in range(SCANNERS)), *map(sell, range(4)))
    await asyncio.gather(working, *map(follow, readers))
    await kind(pool).advance()
    for reader in readers:
        await reader.read(Changes(pool))
        admitted = Counter(each.ticket_id for each in reader.changes if each.ticket_id)
        assert admitted == Counter(each.ticket_id for each in sold)
        assert reader.revs[1] == list(range(1, len(reader.revs[1]) + 1))
        assert reader.kinds.count("CHECKED_IN") == GUESTS
