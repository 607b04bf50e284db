import asyncio
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from services import bookings
from services.bookings.inventory import Inventory
from services.bookings.rankings.rankings import SQL, Rankings
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert
from tests.services.bookings.rankings.conftest import PERIODS, book, book_in, roll_up, tallies, top
from tests.services.conditions import until_blocked

FUNCTION = Path(bookings.__file__).parent / "migrations/functions/tally.sql"
BOOK_LATE = """
    WITH counted AS (
        UPDATE inventory
        SET sold = sold + 1, live_bookings = live_bookings + 1, rev = rev + 1
        WHERE event_id = 1
        RETURNING rev
    ),
    booked AS (
        INSERT INTO bookings (
            event_id, id, reference, user_id, status, exclusive, seat_count, created_at
        )
        VALUES (1, nextval('booking_id'), gen_random_uuid(), 'late', 'CONFIRMED', true, 1, now())
        RETURNING id
    )
    INSERT INTO ledger (event_id, rev, kind, booking_id, user_id, seats, at)
    SELECT 1, rev, 'RESERVED', id, 'late', 1, now()
    FROM counted, booked
"""


async def test_the_ranking_is_the_same_before_during_and_after_a_roll_up(
    inventory: Inventory, reservations: Reservations, rankings: Rankings
) -> None:
    """A ranking would change with each roll-up."""
    await book(inventory, reservations, {"ada": 4, "bob": 3, "cy": 2, "dé": 1})
    expected = [(1, "ada", 4), (2, "bob", 3), (3, "cy", 2), (4, "dé", 1)]
    rounds = 0
    has_more = True
    while has_more:
        assert [await top(rankings, period) for period in PERIODS] == [expected] * len(PERIODS)
        has_more = await rankings.roll_up()
        rounds += 1
    assert rounds > 2


async def test_one_postgresql_does_not_read_the_whole_ledger_for_a_roll_up(
    pool: Pool, database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Each roll-up would read the whole ledger."""
    rankings = Rankings(pool)
    await book(inventory, reservations, dict.fromkeys(map(str, range(40)), 1))
    await roll_up(rankings)
    await book_in(reservations, inventory, event_id=2, users=[str(n) for n in range(40)])
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings; SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")
        connection.execute(SQL["roll_up"], {"chunk": 5})
        [read] = connection.execute(
            "SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'ledger'"
        ).fetchone() or (0,)
    # A roll-up takes whole batches, and reads them once more to count them.
    assert 0 < read <= 2 * 42


async def test_replicas_that_roll_up_at_once_count_each_booking_once(
    database: Database, inventory: Inventory, reservations: Reservations, rankings: Rankings
) -> None:
    """Parallel roll-ups would count a booking twice or never."""
    for event_id in range(1, 21):
        await inventory.apply(concert(event_id, capacity=100))
    done = asyncio.Event()

    async def work() -> None:
        while not done.is_set():
            await rankings.roll_up()

    workers = [asyncio.create_task(work()) for _ in range(3)]
    users = [f"user-{number}" for number in range(8)]
    asked = (
        booked(reservations, [seat(event_id, user)]) for event_id in range(1, 21) for user in users
    )
    await asyncio.gather(*asked)
    done.set()
    await asyncio.gather(*workers)
    await roll_up(rankings)
    assert tallies(database) == Counter(dict.fromkeys(users, 20))


async def test_a_booking_of_an_open_transaction_is_counted_later(
    database: Database, inventory: Inventory, reservations: Reservations, rankings: Rankings
) -> None:
    """A roll-up would pass over a booking that commits after later numbers."""
    await book(inventory, reservations, {"zoe": 1})
    await roll_up(rankings)
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as slow:
        await slow.execute("SET search_path TO bookings")
        await slow.execute(BOOK_LATE)
        await book_in(reservations, inventory, event_id=2, users=["ada"])
        await roll_up(rankings)
        assert await top(rankings) == [(1, "ada", 1), (1, "zoe", 1)]
        await slow.commit()
    assert await top(rankings) == [(1, "ada", 1), (1, "late", 1), (1, "zoe", 1)]
    await roll_up(rankings)
    assert tallies(database) == Counter({"ada": 1, "late": 1, "zoe": 1})


async def test_one_postgresql_would_lose_it_by_the_last_committed_one(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Negative control: the test above would pass without the oldest running transaction."""
    await book(inventory, reservations, {"zoe": 1})
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as slow:
        await slow.execute("SET search_path TO bookings")
        await slow.execute(BOOK_LATE)
        await book_in(reservations, inventory, event_id=2, users=["ada"])
        careless = SQL["roll_up"].replace(
            b"txid < pg_snapshot_xmin(pg_current_snapshot())", b"true"
        )
        assert careless != SQL["roll_up"]
        with psycopg.connect(database.bookings_dsn, options="-c search_path=bookings") as worker:
            worker.execute(careless, {"chunk": 100})
        await slow.commit()
    with psycopg.connect(database.bookings_dsn, options="-c search_path=bookings") as worker:
        worker.execute(SQL["roll_up"], {"chunk": 100})
    assert "late" not in tallies(database)


async def test_one_booking_makes_no_rank(
    database: Database, inventory: Inventory, reservations: Reservations, rankings: Rankings
) -> None:
    """Each user with one booking would cost a row of the ranks."""
    await book(inventory, reservations, {"ada": 2, "bob": 1})
    await roll_up(rankings)
    with psycopg.connect(database.owner_dsn) as connection:
        ranked = connection.execute("SELECT period, user_id, bookings FROM bookings.ranks")
        assert sorted(ranked) == [(period, "ada", 2) for period in ("all", "day", "month", "week")]


@pytest.mark.parametrize("locks", [True, False])
async def test_tallies_of_one_user_are_changed_in_turn(database: Database, locks: bool) -> None:
    """Parallel roll-ups of two days would lose one of a user's bookings without the lock."""
    text = FUNCTION.read_text(encoding="utf-8")
    lock = "    PERFORM FROM tallied FOR UPDATE;\n"
    assert text.count(lock) == 1
    with psycopg.connect(database.owner_dsn, options="-c search_path=bookings") as connection:
        connection.execute((text if locks else text.replace(lock, "")).encode())
        connection.commit()
    tally = "SELECT tally(ARRAY['ada'], ARRAY[%s::date], ARRAY[1])"
    async with (
        await psycopg.AsyncConnection.connect(database.owner_dsn) as former,
        await psycopg.AsyncConnection.connect(database.owner_dsn) as latter,
        await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as watch,
    ):
        for session in (former, latter):
            await session.execute("SET search_path TO bookings")
        await former.execute(tally, ["2024-03-05"])
        waiting = asyncio.create_task(latter.execute(tally, ["2024-03-06"]))
        if locks:
            await until_blocked(watch, 1)
        else:
            await waiting
        await former.commit()
        await waiting
        await latter.commit()
        ranked = await watch.execute("SELECT bookings FROM bookings.ranks WHERE period = 'all'")
        assert await ranked.fetchall() == ([(2,)] if locks else [])
