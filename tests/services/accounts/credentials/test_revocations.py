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
    """Services would go on accepting the tokens."""
    account, _ = add_account(database), add_account(database)
    assert await client.revocations() == {}
    assert await end_tokens(pool, account) == 2
    assert await client.revocations() == {account: 2}


async def test_concurrent_revocations_all_count(pool: Pool, database: Database) -> None:
    """A lost one would leave tokens valid that were issued between the two."""
    account = add_account(database)
    made = await asyncio.gather(*(end_tokens(pool, account) for _ in range(8)))
    assert sorted(made) == list(range(2, 10))


async def test_a_revocation_that_is_rolled_back_is_not_listed(
    client: Client, pool: Pool, database: Database
) -> None:
    """Tokens must not end for a change that did not happen."""
    account = add_account(database)
    async with pool.connection() as connection, connection.transaction(force_rollback=True):
        await revoke(connection, account)
    assert await client.revocations() == {}


async def test_an_unknown_account_cannot_be_revoked(pool: Pool) -> None:
    """A wrong id must not pass as a revocation."""
    with pytest.raises(LookupError, match="acct_none"):
        await end_tokens(pool, "acct_none")


async def test_old_revocations_are_left_out(client: Client, pool: Pool, database: Database) -> None:
    """The list would grow for ever; the tokens have expired."""
    account = add_account(database)
    await end_tokens(pool, account)
    execute(database, "UPDATE accounts SET revoked_at = now() - interval '19 minutes'")
    assert await client.revocations() == {account: 2}
    execute(database, "UPDATE accounts SET revoked_at = now() - interval '20 minutes'")
    assert await client.revocations() == {}


async def test_revocations_are_listed_in_pages(
    client: Client, pool: Pool, database: Database
) -> None:
    """A revocation between two pages must not be missed."""
    accounts = [add_account(database) for _ in range(5)]
    for account in accounts:
        await end_tokens(pool, account)
    found: list[str] = []
    while page := await client.revocations(after_subject=found[-1] if found else "", limit=2):
        found += page
    assert found == sorted(accounts)
