"""All tokens of an account end at once, and the other services hear of it."""

import asyncio

import pytest

from services.accounts.credentials.revocations import revoke
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.accounts.client import Client, add_account, execute


async def end_tokens(pool: Pool, account: str) -> int:
    """Revokes in a transaction of its own."""
    async with pool.connection() as connection, connection.transaction():
        return await revoke(connection, account)


async def test_a_revocation_is_listed(client: Client, pool: Pool, database: Database) -> None:
    """With the generation that tokens must have from now on."""
    account, _ = add_account(database), add_account(database)
    assert await client.revocations() == {}
    assert await end_tokens(pool, account) == 2
    assert await client.revocations() == {account: 2}


async def test_revocations_at_once_all_count(pool: Pool, database: Database) -> None:
    """Each begins a generation of its own."""
    account = add_account(database)
    made = await asyncio.gather(*(end_tokens(pool, account) for _ in range(8)))
    assert sorted(made) == list(range(2, 10))


async def test_one_that_is_undone_is_not_listed(
    client: Client, pool: Pool, database: Database
) -> None:
    """It is part of the transaction that it belongs to."""
    account = add_account(database)
    async with pool.connection() as connection, connection.transaction(force_rollback=True):
        await revoke(connection, account)
    assert await client.revocations() == {}


async def test_nobody_cannot_be_revoked(pool: Pool) -> None:
    """A mistake of ours is not passed over in silence."""
    with pytest.raises(LookupError, match="acct_none"):
        await end_tokens(pool, "acct_none")


async def test_old_ones_are_left_out(client: Client, pool: Pool, database: Database) -> None:
    """Tokens that are older have expired by themselves."""
    account = add_account(database)
    await end_tokens(pool, account)
    execute(database, "UPDATE accounts SET revoked_at = now() - interval '19 minutes'")
    assert await client.revocations() == {account: 2}
    execute(database, "UPDATE accounts SET revoked_at = now() - interval '20 minutes'")
    assert await client.revocations() == {}


async def test_many_come_in_pages(client: Client, pool: Pool, database: Database) -> None:
    """Each account once, in an order that pages can rely on."""
    accounts = [add_account(database) for _ in range(5)]
    for account in accounts:
        await end_tokens(pool, account)
    found: list[str] = []
    while page := await client.revocations(after_subject=found[-1] if found else "", limit=2):
        found += page
    assert found == sorted(accounts)
