import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from services.events.errors import HistoryGone
from services.events.events import revisions
from services.events.feed.feed import Feed
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.conditions import until_blocked
from tests.services.events.client import Client, change_rows, rows

FIELDS = {"name": "Concert", "total_seats": 10, "status": "PUBLISHED"}


@pytest.fixture
def feed(pool: Pool) -> Feed:
    """Returns the feed without a server."""
    return Feed(pool, keep=timedelta(hours=1))


@pytest.fixture
async def monitor(database: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    """Returns a connection that sees which sessions wait."""
    dsn = database.owner_dsn
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        yield connection


async def publish(pool: Pool) -> None:
    """Makes a change."""
    async with pool.connection() as connection, connection.transaction():
        assert await revisions.create(connection, FIELDS, None)


def make_old(database: Database, which: str) -> None:
    """Makes changes older than they are kept."""
    change_rows(database, f"UPDATE outbox SET changed_at = now() - interval '1 day' WHERE {which}")


async def numbers(feed: Feed, after: int = 0) -> list[int]:
    """Lists the numbers of the changes after one."""
    return [change.sequence for change in (await feed.list_changes("", after, 0)).changes]


async def test_every_change_is_listed(client: Client, feed: Feed) -> None:
    """Bookings would miss a change, or apply changes out of order."""
    first = await client.create()
    second = await client.create()
    await client.update(first.id, name="Rock")
    await client.update(second.id, total_seats=5)
    await client.delete(first.id)
    found = await feed.list_changes("", 0, 0)
    assert [change.sequence for change in found.changes] == [1, 2, 3, 4, 5]
    listed = [(change.event.id, change.event.revision) for change in found.changes]
    assert listed == [(first.id, 3), (second.id, 2), (first.id, 3), (second.id, 2), (first.id, 3)]
    assert found.head.sequence == 5


async def test_a_slow_transaction_is_not_passed_over(
    pool: Pool, feed: Feed, monitor: psycopg.AsyncConnection
) -> None:
    """A follower would pass a number whose transaction commits later."""
    async with pool.connection() as slow, slow.transaction():
        await slow.execute("SELECT now()")
        await publish(pool)
        assert await numbers(feed) == [1]
        await revisions.create(slow, FIELDS, None)
        late = asyncio.create_task(publish(pool))
        await until_blocked(monitor, waiters=1)
        assert await numbers(feed, after=1) == []
    await late
    assert await numbers(feed, after=1) == [2, 3]


async def test_a_sequence_would_lose_a_change(pool: Pool, monitor: psycopg.AsyncConnection) -> None:
    """Negative control: numbers from a sequence do not follow the order of commits."""
    await monitor.execute("CREATE TABLE events.naive (id bigserial, name text)")
    await monitor.execute("GRANT ALL ON ALL TABLES IN SCHEMA events TO boxoffice_events")
    await monitor.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA events TO boxoffice_events")
    seen: list[Any] = []

    async def read() -> None:
        last = max(seen, default=(0, ""))[0]
        cursor = await monitor.execute("SELECT * FROM events.naive WHERE id > %s", [last])
        seen.extend(await cursor.fetchall())

    async with pool.connection() as slow, slow.transaction():
        await slow.execute("INSERT INTO naive (name) VALUES ('slow')")
        async with pool.connection() as quick:
            await quick.execute("INSERT INTO naive (name) VALUES ('quick')")
        await read()
    await read()
    assert seen == [(2, "quick")]


async def test_forgotten_changes_cannot_be_followed(
    pool: Pool, feed: Feed, database: Database
) -> None:
    """A follower would miss forgotten changes without noticing."""
    for _ in range(4):
        await publish(pool)
    change_rows(
        database, "UPDATE outbox SET changed_at = now() - interval '1 day' WHERE sequence < 3"
    )
    assert not await feed.forget()
    for after in (0, 1):
        with pytest.raises(HistoryGone):
            await feed.list_changes("", after, 0)
    assert await numbers(feed, after=2) == [3, 4]
    make_old(database, "true")
    await feed.forget()
    assert await numbers(feed, after=4) == []
    with pytest.raises(HistoryGone):
        await feed.list_changes("", 3, 0)


async def test_forgetting_leaves_no_gap(pool: Pool, feed: Feed, database: Database) -> None:
    """A gap in the numbers would look like forgotten history to every follower."""
    for _ in range(3):
        await publish(pool)
    change_rows(
        database, "UPDATE outbox SET changed_at = now() - interval '1 day' WHERE sequence = 2"
    )
    await feed.forget()
    assert await numbers(feed) == [1, 2, 3]


async def test_several_followers_of_a_restore_begin_one_epoch(pool: Pool, feed: Feed) -> None:
    """Followers would be sent from one new epoch to the next."""
    await publish(pool)
    before = (await feed.list_changes("", 0, 0)).head.epoch
    attempts = [feed.list_changes(before, 9, 0) for _ in range(4)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert all(isinstance(outcome, HistoryGone) for outcome in outcomes)
    after = (await feed.list_changes("", 0, 0)).head.epoch
    assert after != before
    with pytest.raises(HistoryGone):
        await feed.list_changes(before, 1, 0)
    assert (await feed.list_changes(after, 1, 0)).head.epoch == after


async def test_an_epoch_outlives_a_start(feed: Feed, database: Database) -> None:
    """Each start would make bookings list the whole catalogue."""
    [(first, _)] = rows(database, "SELECT epoch, lineage FROM head")
    await feed.begin_epoch_if_restored()
    await feed.begin_epoch_if_restored()
    assert rows(database, "SELECT epoch FROM head") == [(first,)]
    change_rows(database, "UPDATE head SET lineage = 'elsewhere'")
    await feed.begin_epoch_if_restored()
    assert rows(database, "SELECT epoch FROM head") != [(first,)]
    for table in ("events", "movies", "theaters", "rooms", "seat_plans"):
        assert rows(database, f"SELECT nextval('{table}_id_seq') > 1000000") == [(True,)]


async def test_a_dump_loaded_into_the_same_database_begins_an_epoch(
    feed: Feed, database: Database
) -> None:
    """Ids and revisions would be given a second time after a restore."""
    await feed.begin_epoch_if_restored()
    [(first,)] = rows(database, "SELECT epoch FROM head")
    change_rows(database, "CREATE TABLE loaded (LIKE head INCLUDING ALL)")
    change_rows(database, "INSERT INTO loaded SELECT * FROM head")
    change_rows(database, "GRANT ALL ON loaded TO boxoffice_events")
    change_rows(database, "DROP TABLE head")
    change_rows(database, "ALTER TABLE loaded RENAME TO head")
    await feed.begin_epoch_if_restored()
    assert rows(database, "SELECT epoch FROM head") != [(first,)]


async def test_states_are_listed_page_by_page(client: Client, feed: Feed) -> None:
    """A listing would miss deleted events, or changes made while it goes on."""
    created = [(await client.create()).id for _ in range(3)]
    await client.delete(created[1])
    first, head = await feed.list_states(0, 2)
    rest, _ = await feed.list_states(first[-1].id, 2)
    assert [event.id for event in (*first, *rest)] == created
    assert first[1].deleted_at is not None
    assert head.sequence == 4
