import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from boxoffice.type.v1 import money_pb2
from services.kit.database import idempotency
from services.kit.database.idempotency import Completion, Key, Result
from services.kit.database.postgres import Connection, Pool, open_pool
from services.kit.rpc.errors import IdempotencyKeyReused, PermissionDenied, Received, Refusal
from tests.conftest import Database
from tests.services.conditions import until_blocked

PAID = Key("ada", "pay", "key-1", b"content")
REFUSED = Key("ada", "pay", "key-2", b"content")
OWED = money_pb2.Money(amount_minor=1250, currency="EUR")
UNUSED = Key("bob", "pay", "key-1", b"content")


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """Opens a pool on a schema that has the table."""
    async with open_pool(database.bookings_dsn, schema="bookings", size=2) as opened:
        yield opened


async def keep(pool: Pool) -> None:
    """Stores a response and a refusal in one transaction."""
    async with pool.connection() as connection, connection.transaction():
        await idempotency.claim(connection, [PAID, REFUSED])
        code, reason = PermissionDenied.code, PermissionDenied.reason
        denied = Received(code, reason, {"limit": "3"}, details=OWED)
        refusal = idempotency.refusal_bytes(denied)
        await idempotency.store(
            connection,
            [
                Result(PAID, is_refusal=False, response=b"\0paid"),
                Result(REFUSED, is_refusal=True, response=refusal),
            ],
        )


async def claim(connection: Connection, *keys: Key) -> tuple[list[bool], list[int]]:
    """Claims keys; returns which were claimed, and the indices of those with a result."""
    claimed, stored = (await idempotency.claim(connection, keys)).read()
    return claimed, sorted(stored)


async def test_a_replay_is_what_was_stored(pool: Pool) -> None:
    """Another caller's key, or a result at the wrong key, would answer a stranger's request."""
    await keep(pool)
    async with pool.connection() as connection, connection.transaction():
        keys = [UNUSED, REFUSED, PAID]
        claimed, stored = (await idempotency.claim(connection, keys)).read()
    assert claimed == [True] * 3
    assert sorted(stored) == [1, 2]
    refusal = idempotency.replay(REFUSED, stored[1])
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.code) == (PermissionDenied.reason, PermissionDenied.code)
    assert refusal.metadata == {"limit": "3", "replayed": "true"}
    assert refusal.details == OWED
    assert idempotency.replay(PAID, stored[2]) == b"\0paid"


async def test_a_key_with_other_content_gets_no_result(pool: Pool) -> None:
    """A caller that guesses a key would read the response to its owner."""
    await keep(pool)
    async with pool.connection() as connection, connection.transaction():
        _, stored = (await idempotency.claim(connection, [PAID])).read()
    other = Key(PAID.caller, PAID.operation, PAID.key, b"other content")
    assert isinstance(idempotency.replay(other, stored[0]), IdempotencyKeyReused)


async def test_a_key_is_claimed_by_one_transaction_until_it_ends(pool: Pool) -> None:
    """Two transactions with one key would do its work twice, or wait for each other."""
    async with pool.connection() as first, pool.connection() as second:
        async with first.transaction():
            assert await claim(first, PAID) == ([True], [])
            async with second.transaction():
                assert await claim(second, UNUSED, PAID) == ([True, False], [])
        async with second.transaction():
            assert await claim(second, PAID) == ([True], [])


async def test_results_are_kept_for_a_day(pool: Pool, database: Database) -> None:
    """A key would be answered for ever, or its table grow for ever."""
    await keep(pool)
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("UPDATE bookings.idempotency SET decided_at = now() - interval '25 hours'")
    async with pool.connection() as connection:
        async with connection.transaction():
            assert await claim(connection, PAID) == ([True], [])
            await idempotency.store(connection, [Result(PAID, is_refusal=False, response=b"new")])
        assert await idempotency.forget(connection, chunk=10) == 1
        async with connection.transaction():
            assert await claim(connection, PAID, REFUSED) == ([True, True], [0])


async def test_an_incomplete_result_is_completed_once(pool: Pool) -> None:
    """Two requests with one key that finish at the same moment would be answered differently."""
    begun = [Result(key, is_refusal=None, response=b"begun") for key in (PAID, REFUSED)]
    first, second = [
        [Completion(b"begun", Result(key, is_refusal=False, response=response)) for key in keys]
        for response, keys in ((b"first", (PAID, PAID)), (b"second", (PAID, REFUSED, UNUSED)))
    ]
    async with pool.connection() as connection:
        async with connection.transaction():
            await idempotency.claim(connection, [PAID, REFUSED])
            await idempotency.store(connection, begun)
        assert await idempotency.complete(connection, first) == [True, False]
        assert await idempotency.complete(connection, second) == [False, True, False]
        async with connection.transaction():
            _, stored = (await idempotency.claim(connection, [PAID, REFUSED])).read()
    assert [stored[number].response for number in (0, 1)] == [b"first", b"second"]


@pytest.mark.parametrize("locks", [True, False])
async def test_of_two_that_complete_a_result_at_once_one_is_kept(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    """Without the lock both would be told that theirs is kept, and answer differently."""
    if not locks:
        lock = b"FOR NO KEY UPDATE OF idempotency"
        careless = idempotency.SQL["complete"].replace(lock, b"")
        monkeypatch.setattr(idempotency, "SQL", {**idempotency.SQL, "complete": careless})
    former, latter = [
        [Completion(b"begun", Result(PAID, is_refusal=False, response=response))]
        for response in (b"former", b"latter")
    ]
    async with pool.connection() as first, pool.connection() as second:
        await idempotency.store(first, [Result(PAID, is_refusal=None, response=b"begun")])
        async with first.transaction():
            assert await idempotency.complete(first, former) == [True]
            completing = asyncio.create_task(idempotency.complete(second, latter))
            await until_blocked(first, 1)
        assert await completing == [not locks]
        stored = await idempotency.recall(first, PAID)
    assert stored
    assert stored.response == (b"former" if locks else b"latter")


async def test_results_are_locked_in_the_order_of_their_keys(pool: Pool) -> None:
    """Two batches with the same keys in another order would deadlock, and one of them fail."""
    completions = [
        Completion(b"begun", Result(key, is_refusal=False, response=b"whole"))
        for key in (Key("bob", "pay", "key-3", b""), PAID)
    ]
    begun = [Result(each.result.key, is_refusal=None, response=b"begun") for each in completions]
    async with pool.connection() as waiting, pool.connection() as owner:
        await idempotency.store(waiting, begun)
        async with owner.transaction():
            await owner.execute("SELECT FROM idempotency WHERE key = 'key-3' FOR UPDATE")
            completing = asyncio.create_task(idempotency.complete(waiting, completions))
            await until_blocked(owner, 1)
            free = "SELECT key FROM idempotency FOR UPDATE SKIP LOCKED"
            assert await (await owner.execute(free)).fetchall() == [("key-3",)]
        assert await completing == [True, True]
