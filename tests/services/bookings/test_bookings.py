import re
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import psycopg
import pytest

from services.bookings import bookings as bookings_module
from services.bookings import inventory as inventory_module
from services.bookings import rankings as rankings_module
from services.bookings.bookings import Booking, Bookings
from services.bookings.errors import BookingNotFound
from services.bookings.inventory import Inventory
from services.bookings.reservations import Request, Reservation, Reservations
from services.kit.paging import FIRST, Page, cut, parse
from services.kit.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.conftest import concert

USERS = ["ada", "bob", "cy", "dé"]
List = Callable[[Page], Awaitable[list[Booking]]]


@pytest.fixture
def bookings(pool: Pool) -> Bookings:
    """Gives the reader of bookings."""
    return Bookings(pool)


@pytest.fixture
async def ids(inventory: Inventory, reservations: Reservations) -> list[int]:
    """Books three events for four users; gives the numbers in the order in which they came."""
    made = []
    for event_id in (1, 2, 3):
        await inventory.apply(concert(event_id))
        outcomes = await reservations.reserve([Request(event_id, user) for user in USERS])
        made += [outcome.booking_id for outcome in outcomes if isinstance(outcome, Reservation)]
    return made


async def walk(read: List, size: int) -> list[int]:
    """Walks all pages of a list."""
    walked: list[int] = []
    token = ""
    while True:
        page = parse(size, token, scope="")
        found, token = cut(await read(page), page)
        walked += [booking.id for booking in found]
        if not token:
            return walked


@pytest.mark.parametrize("size", [1, 3, 4, 12, 200])
async def test_pages_show_every_booking_once_newest_first(
    bookings: Bookings, ids: list[int], size: int
) -> None:
    """All, a user's and an event's, whatever the size of the page."""
    newest = sorted(ids, reverse=True)
    assert await walk(bookings.list_all, size) == newest
    assert await walk(lambda page: bookings.list_of_user("bob", page), size) == newest[2::4]
    assert await walk(lambda page: bookings.list_of_event(2, page), size) == newest[4:8]


async def test_a_booking_made_meanwhile_shifts_no_page(
    bookings: Bookings, reservations: Reservations, ids: list[int]
) -> None:
    """A list that is walked while people book shows none twice and skips none."""
    page = parse(5, "", scope="")
    first, token = cut(await bookings.list_all(page), page)
    await reservations.reserve([Request(1, "late")])
    rest = await bookings.list_all(parse(100, token, scope=""))
    assert [booking.id for booking in [*first, *rest]] == sorted(ids, reverse=True)


async def test_a_booking_tells_its_event(bookings: Bookings, ids: list[int]) -> None:
    """Name and price are those of the event."""
    booking = await bookings.get(ids[0])
    assert (booking.event_id, booking.user_id, booking.status) == (1, "ada", "CONFIRMED")
    assert (booking.event_name, booking.seat_count) == ("Concert", 1)


async def test_an_unknown_booking_is_not_found(bookings: Bookings) -> None:
    """A number that was never given is no booking."""
    with pytest.raises(BookingNotFound):
        await bookings.get(2**63 - 1)


READS: dict[str, tuple[bytes, dict[str, Any]]] = {
    name: (statement, values)
    for module, values in (
        (bookings_module, {"id": 7, "user_id": "user-7", "event_id": 7}),
        (inventory_module, {"event_ids": [7, 8]}),
        (rankings_module, {"period": "all", "starts_on": date(1, 1, 1), "most": 10}),
    )
    for name, statement in module.SQL.items()
    if name.startswith(("get_b", "list_", "count_seats"))
}
READ_VALUES = {"before": FIRST, "limit": 51}


async def test_no_read_looks_through_a_whole_table(database: Database) -> None:
    """Lists, counts and rankings take an index, so they cost the same however much is booked."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute("SET search_path TO bookings")
        _fill(connection)
        for name, (statement, values) in READS.items():
            plan = _plan(connection, statement, values | READ_VALUES)
            scanned = set(re.findall(r"Seq Scan on (\w+)", plan))
            # One row, which is its own index.
            assert scanned <= {"tallied"}, f"{name}\n{plan}"


def _plan(connection: psycopg.Connection, statement: bytes, values: dict[str, Any]) -> str:
    rows = connection.execute(b"EXPLAIN " + statement, values).fetchall()
    return "\n".join(str(line) for (line,) in rows)


def _fill(connection: psycopg.Connection) -> None:
    """Makes 400 events with 20 bookings each of 4000 users, all but the last in the tallies."""
    connection.execute("""
        INSERT INTO inventory (
            event_id, capacity, sold, live_bookings, rev, epoch, catalogue_rev, verdict, name,
            status, deleted
        )
        SELECT n, 100, 20, 20, 21, '', 1, 'APPLIED', 'Concert', 'PUBLISHED', false
        FROM generate_series(1, 400) AS n
    """)
    connection.execute("""
        INSERT INTO bookings (
            event_id, id, reference, user_id, status, exclusive, seat_count, created_at
        )
        SELECT
            n / 20 + 1, n, gen_random_uuid(), 'user-' || n % 4000, 'CONFIRMED', true, 1, now()
        FROM generate_series(1, 7999) AS n
    """)
    connection.execute("""
        INSERT INTO ledger (event_id, rev, kind, booking_id, user_id, seats, at)
        SELECT event_id, id, 'RESERVED', id, user_id, 1, created_at
        FROM bookings
    """)
    connection.execute("""
        SELECT tally(array_agg(user_id), array_agg(day), array_agg(bookings))
        FROM (
            SELECT user_id, created_at::date AS day, count(*)::integer AS bookings
            FROM bookings
            GROUP BY user_id, day
        ) AS counted
    """)
    connection.execute("UPDATE tallied SET after_txid = (SELECT max(txid) FROM ledger)")
    connection.execute("VACUUM ANALYZE")
