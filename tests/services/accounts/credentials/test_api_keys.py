"""API keys: only authorized users create them, and their secrets are not stored."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from services.accounts.credentials.api_keys import SQL, ApiKey, ApiKeys, ApiKeySpec
from services.accounts.errors import ApiKeyNotFound
from services.kit.database.postgres import Pool
from services.kit.rpc import paging
from services.kit.rpc.errors import InvalidToken, PermissionDenied, ValidationFailed
from tests.conftest import Database
from tests.services.accounts.client import add_account, execute, read
from tests.services.conditions import until_blocked

READING = ApiKeySpec("backup", ["BOOKINGS_READ"])
FOR_ANYONE = ApiKeySpec("import", ["BOOKINGS_ANY_USER"])


@pytest.fixture
def api_keys(pool: Pool) -> ApiKeys:
    """API keys without a server."""
    return ApiKeys(pool)


@pytest.fixture
def account(database: Database) -> str:
    """Adds an account; returns its id."""
    return add_account(database)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Connects as the schema's owner, in a transaction that the test ends."""
    options = "-c search_path=accounts"
    async with await psycopg.AsyncConnection.connect(
        database.owner_dsn, options=options
    ) as connection:
        yield connection


async def test_a_key_works_at_once_and_is_stored_as_a_digest(
    api_keys: ApiKeys, account: str, database: Database
) -> None:
    """A reader of the database could use the keys."""
    made = await api_keys.create(account, 1, READING)
    assert (await api_keys.resolve(made.secret)).account_id == account
    secret = made.secret.rpartition("_")[2]
    [(row,)] = read(database, "SELECT api_keys::text FROM api_keys")
    assert secret not in row
    assert secret not in repr(made)


@pytest.mark.parametrize(
    ("role", "is_admitted"), [("USER", False), ("ORGANIZER", False), ("ADMIN", True)]
)
async def test_only_an_admin_lets_a_key_act_for_anyone(
    api_keys: ApiKeys, database: Database, role: str, is_admitted: bool
) -> None:
    """An account without the role must not get it through a key, whatever its token says."""
    account = add_account(database, role=role)
    if is_admitted:
        await api_keys.create(account, 1, FOR_ANYONE)
    else:
        with pytest.raises(PermissionDenied):
            await api_keys.create(account, 1, FOR_ANYONE)
    assert len(read(database, "SELECT FROM api_keys")) == is_admitted


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts SET generation = 2, revoked_at = now()",
        "UPDATE accounts SET banned_at = now()",
        "DELETE FROM accounts",
    ],
)
async def test_a_revoked_token_creates_no_key(
    api_keys: ApiKeys, account: str, database: Database, change: str
) -> None:
    """A key would outlive the revocation, so a cached caller is not enough."""
    execute(database, change)
    with pytest.raises(InvalidToken):
        await api_keys.create(account, 1, READING)


async def test_a_key_cannot_expire_in_the_past(api_keys: ApiKeys, account: str) -> None:
    """A key that never works is a mistake of the client, who must see the field."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(ValidationFailed) as refused:
        await api_keys.create(account, 1, ApiKeySpec("late", ["BOOKINGS_READ"], past))
    assert [violation.path for violation in refused.value.violations] == ["expires_at"]


async def end_all_access(owner: psycopg.AsyncConnection[Any]) -> None:
    """Does what a password reset does; the test ends the transaction."""
    await owner.execute("UPDATE accounts SET generation = 2, revoked_at = now()")
    await owner.execute("DELETE FROM api_keys")


async def test_ending_all_access_misses_no_concurrent_key(
    owner: psycopg.AsyncConnection[Any], api_keys: ApiKeys, account: str, database: Database
) -> None:
    """A key that is created meanwhile must not survive a password reset."""
    await end_all_access(owner)
    making = asyncio.create_task(api_keys.create(account, 1, READING))
    await until_blocked(owner, 1)
    await owner.commit()
    with pytest.raises(InvalidToken):
        await making
    assert read(database, "SELECT FROM api_keys") == []


async def test_without_the_lock_a_key_survives(
    owner: psycopg.AsyncConnection[Any],
    api_keys: ApiKeys,
    account: str,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: without waiting for the account's row the key survives."""
    unlocked = SQL["lock_owner"].replace(b"FOR SHARE", b"")
    monkeypatch.setattr(
        "services.accounts.credentials.api_keys.SQL", {**SQL, "lock_owner": unlocked}
    )
    await end_all_access(owner)
    await api_keys.create(account, 1, READING)
    await owner.commit()
    assert len(read(database, "SELECT FROM api_keys")) == 1


async def test_keys_are_listed_newest_first_in_pages(
    api_keys: ApiKeys, account: str, database: Database
) -> None:
    """Keys of other accounts must not appear, and no key be lost between pages."""
    await api_keys.create(add_account(database), 1, READING)
    made = [(await api_keys.create(account, 1, READING)).api_key for _ in range(5)]
    found: list[ApiKey] = []
    token = ""
    while True:
        page = paging.parse(2, token, scope="keys")
        shown, token = await api_keys.list(account, page)
        found += shown
        if not token:
            break
    assert found == made[::-1]


async def test_a_key_is_deleted_by_its_owner_only(
    api_keys: ApiKeys, account: str, database: Database
) -> None:
    """Another account must neither delete a key nor learn that it exists."""
    made = await api_keys.create(account, 1, READING)
    for owner, id_ in ((add_account(database), made.api_key.id), (account, "a" * 16)):
        with pytest.raises(ApiKeyNotFound):
            await api_keys.delete(owner, id_)
    for made_up in ("\0", "a\0b", made.api_key.id.upper(), f"{made.api_key.id}\n", "ü" * 16):
        with pytest.raises(ApiKeyNotFound):
            await api_keys.delete(account, made_up)
    assert (await api_keys.resolve(made.secret)).account_id == account
    await api_keys.delete(account, made.api_key.id)
    with pytest.raises(InvalidToken):
        await api_keys.resolve(made.secret)
