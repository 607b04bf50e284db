import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import psycopg
import pytest

from boxoffice.bookings.v1 import feed_pb2
from services.bookings.errors import ChangesGone
from services.bookings.feed.changes import Changes
from services.bookings.feed.distributed_tail import SQL as DISTRIBUTED
from services.bookings.feed.distributed_tail import DistributedTail
from services.bookings.feed.tail import SQL, Tail
from services.bookings.inventory import Inventory
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert
from tests.services.bookings.feed.reader import Reader
from tests.services.bookings.tails import FEED_TAILS
from tests.services.conditions import until_blocked
from tests.services.issuer import account

OWNER, OTHER = account("owner"), account("other")
BUYERS, EACH = 6, 10
RESIZE = """
    WITH counted AS (
        UPDATE inventory
        SET rev = rev + 1
        WHERE event_id = %(event_id)s
        RETURNING rev
    )
    INSERT INTO ledger (event_id, rev, kind, seats, capacity, at, txid)
    SELECT %(event_id)s, rev, 'RESIZED', 0, 50, now(), coalesce(%(txid)s, pg_current_xact_id())
    FROM counted
"""
LOCKS: dict[type[Tail], bytes] = {Tail: SQL["lock"], DistributedTail: DISTRIBUTED["lock"]}


@pytest.fixture(params=FEED_TAILS)
def kind(request: pytest.FixtureRequest) -> type[Tail]:
    """Returns each kind of tail."""
    return cast("type[Tail]", request.param)


@contextlib.asynccontextmanager
async def session(database: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    """Opens a session of the service, whose transaction the test ends."""
    options = "-c search_path=bookings"
    async with await psycopg.AsyncConnection.connect(
        database.bookings_dsn, options=options
    ) as connection:
        yield connection


async def resize(
    connection: psycopg.AsyncConnection, event_id: int, txid: str | None = None
) -> None:
    """Makes the next revision of an event, by a transaction with another number if one is given."""
    await connection.execute(RESIZE, {"event_id": event_id, "txid": txid})


async def test_a_transaction_that_commits_late_is_read_after_faster_ones(
    database: Database, inventory: Inventory, tail: Tail, changes: Changes
) -> None:
    """A cursor that goes by numbers of transactions would have passed it over."""
    await inventory.apply(concert(1))
    await inventory.apply(concert(2))
    reader = Reader()
    async with session(database) as slow, session(database) as fast:
        await resize(slow, 1)
        await resize(fast, 2)
        await fast.commit()
        await tail.advance()
        await reader.read(changes)
        assert reader.revs == {1: [1], 2: [1, 2]}
        await slow.commit()
    await tail.advance()
    await reader.read(changes)
    assert reader.revs == {1: [1, 2], 2: [1, 2]}


async def test_a_transaction_that_began_first_may_follow_in_the_same_event(
    database: Database, inventory: Inventory, tail: Tail, changes: Changes
) -> None:
    """It waits for the lock of the event with a lower number than the one it waits for."""
    await inventory.apply(concert(1))
    reader = Reader()
    async with session(database) as old, session(database) as first, session(database) as second:
        for each in (second, old, first):
            await each.execute("SELECT pg_current_xact_id()")
        await resize(first, 1)
        await first.commit()
        await resize(second, 1)
        await second.commit()
        await tail.advance()
        await reader.read(changes)
        await resize(old, 1)
        await old.commit()
    await tail.advance()
    await reader.read(changes)
    assert reader.revs == {1: [1, 2, 3, 4]}


async def move(connection: psycopg.AsyncConnection, kind: type[Tail]) -> None:
    """Adds the first revision of event 1 to an empty feed."""
    if kind is Tail:
        await connection.execute(SQL["move"])
        return
    behind = '[{"event_id": 1, "after": 0, "rev": 1}]'
    values = {"position": 0, "behind": behind, "scans": "[]"}
    await connection.execute(DISTRIBUTED["add"], values)
    await connection.execute(DISTRIBUTED["move"], {"position": 1})


@pytest.mark.parametrize("locks", [True, False])
async def test_two_replicas_move_the_feed_in_turn(
    database: Database, inventory: Inventory, changes: Changes, kind: type[Tail], locks: bool
) -> None:
    """Without the lock both would give the same positions, and one of them would fail."""
    lock = LOCKS[kind] if locks else LOCKS[kind].replace(b"FOR UPDATE SKIP LOCKED", b"")
    await inventory.apply(concert(1))
    async with (
        session(database) as former,
        session(database) as latter,
        await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as watch,
    ):
        await former.execute(lock)
        await move(former, kind)
        found = await (await latter.execute(lock)).fetchone()
        assert (found is None) is locks
        if found:
            moving = asyncio.create_task(move(latter, kind))
            await until_blocked(watch, 1)
            await former.commit()
            with pytest.raises(psycopg.errors.UniqueViolation):
                await moving
        await former.commit()
    reader = Reader()
    await reader.read(changes)
    assert reader.revs == {1: [1]}


async def test_two_clients_read_each_change_once_across_a_restart(
    pool: Pool, inventory: Inventory, reservations: Reservations, kind: type[Tail]
) -> None:
    """Amid sales in several events, and whatever the replica was that answered before."""
    events = [1, 2, 3]
    for event_id in events:
        await inventory.apply(concert(event_id, 100))
    readers = [Reader(), Reader(limit=7)]

    async def buy(buyer: int) -> None:
        for number in range(EACH):
            await booked(reservations, [seat(event, f"user{buyer}-{number}") for event in events])

    async def follow(reader: Reader) -> None:
        # Each replica that is asked has been started since.
        while not selling.done():
            await kind(pool).advance()
            await reader.read(Changes(pool))

    selling = asyncio.ensure_future(asyncio.gather(*map(buy, range(BUYERS))))
    await asyncio.gather(selling, *map(follow, readers))
    await kind(pool).advance()
    for reader in readers:
        await reader.read(Changes(pool))
        assert reader.revs == {event: list(range(1, BUYERS * EACH + 2)) for event in events}


async def test_an_organizer_reads_own_events_only(
    inventory: Inventory, tail: Tail, changes: Changes
) -> None:
    """Users of others' events would be shown to them."""
    await inventory.apply(concert(1, organizer_id=OWNER))
    await inventory.apply(concert(2, organizer_id=OTHER))
    await inventory.apply(concert(3))
    await tail.advance()
    reader = Reader(OWNER)
    await reader.read(changes)
    assert reader.revs == {1: [1]}


async def test_those_who_wait_are_woken_for_their_own_events(
    inventory: Inventory, tail: Tail
) -> None:
    """Each sale would make the service read for all who wait."""
    await tail.advance()
    with tail.watched(OWNER) as own, tail.watched(OTHER) as foreign, tail.watched(None) as admin:
        await inventory.apply(concert(1, organizer_id=OWNER))
        await tail.advance()
        assert [event.is_set() for event in (own, foreign, admin)] == [True, False, True]
    assert tail.waiting == 0


async def test_changes_that_another_replica_moved_wake_those_who_wait(
    pool: Pool, inventory: Inventory, tail: Tail, kind: type[Tail]
) -> None:
    """They would wait until the next change that this replica moves itself."""
    await tail.advance()
    with tail.watched(None) as has_news:
        await inventory.apply(concert(1))
        await kind(pool).advance()
        await tail.advance()
        assert has_news.is_set()


async def test_a_cursor_older_than_what_is_kept_is_refused(
    pool: Pool, inventory: Inventory, tail: Tail, changes: Changes, kind: type[Tail]
) -> None:
    """The client would miss changes without noticing."""
    first = Reader()
    for event_id in (1, 2):
        await inventory.apply(concert(event_id))
        await tail.advance()
        if event_id == 1:
            await first.read(changes)
    last = Reader()
    await last.read(changes)
    assert not await kind(pool, keep=timedelta(0)).forget()
    with pytest.raises(ChangesGone):
        await first.read(changes)
    await last.read(changes)
    new = Reader()
    await new.read(changes)
    await inventory.apply(concert(1, 60, rev=2))
    await inventory.apply(concert(3))
    await tail.advance()
    for reader in (last, new):
        await reader.read(changes)
        assert (reader.revs[1][-1], reader.revs[3]) == (2, [1])
    assert new.revs[1] == [2]


async def test_a_database_that_was_restored_from_a_dump_goes_on(
    pool: Pool, inventory: Inventory, reservations: Reservations, tail: Tail, changes: Changes
) -> None:
    """Its transactions have lower numbers, and would be taken for known ones for years."""
    await inventory.apply(concert(1))
    await tail.advance()
    reader = Reader()
    await reader.read(changes)
    await booked(reservations, [seat(1, "ada")])
    async with pool.connection() as connection:
        await connection.execute("UPDATE feed SET seen = '1000000000:1000000000:'")
        await connection.execute("UPDATE ledger SET txid = '999999990'")
    await booked(reservations, [seat(1, "bob")])
    await tail.advance()
    await reader.read(changes)
    await booked(reservations, [seat(1, "eve")])
    await tail.advance()
    await reader.read(changes)
    assert reader.revs == {1: [1, 2, 3, 4]}


async def test_a_long_span_is_read_in_pages(
    reservations: Reservations, inventory: Inventory, tail: Tail, changes: Changes
) -> None:
    """A rush between two looks would be one page that no client can take."""
    await inventory.apply(concert(1))
    await booked(reservations, [seat(1, f"user{number}") for number in range(10)])
    await tail.advance()
    reader = Reader(limit=4)
    await reader.read(changes)
    assert reader.revs == {1: list(range(1, 12))}


async def test_one_postgresql_reads_the_ledger_from_where_it_is_new(database: Database) -> None:
    """Each look would read the whole ledger, and slow all sales down."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=bookings") as connection:
        connection.execute(SQL["lock"])
        for statement, condition in (
            ("look", "Index Cond: (txid < pg_snapshot_xmax"),
            ("move", "Index Cond: ((txid >= (InitPlan"),
            # One span of each event, not all that it ever had.
            ("move", "(last_rev IS NOT NULL)"),
        ):
            plan = connection.execute(b"EXPLAIN " + SQL[statement]).fetchall()
            assert any(condition in line for (line,) in plan), plan
            assert not any("Seq Scan on ledger" in line for (line,) in plan), plan


async def test_every_kind_of_the_ledger_is_a_type_of_change(database: Database) -> None:
    """Clients of the feed would get a type that the contract does not have."""
    with psycopg.connect(database.owner_dsn) as connection:
        found = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conname = 'ledger_kind_known'"
        )
        [rule] = found.fetchone() or ("",)
    kinds = set(re.findall(r"'([A-Z_]+)'", rule))
    types = {name.removeprefix("CHANGE_TYPE_") for name in feed_pb2.ChangeType.keys()[1:]}
    assert kinds | {"CHECKED_IN", "DOUBLE_ADMISSION"} == types
