"""API keys act for their account, within their scopes, while key and account are valid."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from boxoffice.accounts.v1 import identity_pb2
from boxoffice.rest.v1 import rest_pb2
from services.kit.rpc.errors import InvalidToken, Received
from tests.conftest import Database
from tests.services.accounts.client import Client, add_account, add_api_key, execute, read

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)

Break = Callable[[str], str]


async def refused(client: Client, api_key: str) -> bool:
    """Returns whether a key is refused as invalid, the only way of refusing one."""
    try:
        await client.resolve(api_key)
    except Received as refusal:
        return refusal.reason == InvalidToken.reason
    return False


async def test_a_key_has_its_account_role_and_scopes(client: Client, database: Database) -> None:
    """Services decide by these fields alone."""
    account = add_account(database, role="ORGANIZER")
    scopes = ["EVENTS_WRITE", "BOOKINGS_READ"]
    found = await client.resolve(add_api_key(database, account, scopes=scopes))
    assert (found.subject, found.role) == (account, identity_pb2.ROLE_ORGANIZER)
    assert list(found.scopes) == [rest_pb2.SCOPE_EVENTS_WRITE, rest_pb2.SCOPE_BOOKINGS_READ]


@pytest.mark.parametrize(
    "broken",
    [
        lambda key: "",
        lambda key: "box_",
        lambda key: key[:-1],
        lambda key: key + "a",
        lambda key: key.upper(),
        lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
        lambda key: key.replace("box_", "box-"),
        lambda key: f"{key}\n",
        lambda key: f"{key}\x00",
        lambda key: key[:20] + "%" * 53,
    ],
)
async def test_a_malformed_key_is_refused(
    client: Client, database: Database, broken: Break
) -> None:
    """A text that is almost a key could be accepted."""
    key = add_api_key(database, add_account(database))
    assert not await refused(client, key)
    assert await refused(client, broken(key))


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        ("UPDATE accounts SET banned_at = now()", True),
        ("UPDATE api_keys SET expires_at = now()", True),
        ("UPDATE api_keys SET expires_at = now() + interval '1 hour'", False),
        ("DELETE FROM api_keys", True),
        ("UPDATE api_keys SET secret_sha256 = sha256('other')", True),
        (
            "UPDATE accounts SET deleted_at = now(), email = NULL, canonical_email = NULL",
            True,
        ),
    ],
)
async def test_a_key_ends_with_its_account(
    client: Client, database: Database, change: str, is_refused: bool
) -> None:
    """A key must not work when it expired, or its account is banned or gone."""
    key = add_api_key(database, add_account(database))
    execute(database, change)
    assert await refused(client, key) == is_refused


async def test_a_key_of_a_former_admin_acts_for_no_other_user(
    client: Client, database: Database
) -> None:
    """A key must not keep a right that its account lost; the other scopes stay."""
    account = add_account(database, role="ADMIN")
    scopes = ["BOOKINGS_ANY_USER", "EVENTS_WRITE"]
    key = add_api_key(database, account, scopes=scopes)
    assert rest_pb2.SCOPE_BOOKINGS_ANY_USER in (await client.resolve(key)).scopes
    execute(database, "UPDATE accounts SET role = 'USER'")
    found = await client.resolve(key)
    assert (found.role, list(found.scopes)) == (
        identity_pb2.ROLE_USER,
        [rest_pb2.SCOPE_EVENTS_WRITE],
    )


async def test_use_is_noted_once_a_minute(client: Client, database: Database) -> None:
    """A busy key must not write with every call, nor wait for another writer."""
    key = add_api_key(database, add_account(database))
    await asyncio.gather(*(client.resolve(key) for _ in range(20)))
    [(first,)] = read(database, "SELECT last_used_at FROM api_keys")
    await client.resolve(key)
    assert read(database, "SELECT last_used_at FROM api_keys") == [(first,)]
    execute(database, "UPDATE api_keys SET last_used_at = %(then)s", then=NOW - HOUR)
    await client.resolve(key)
    [(later,)] = read(database, "SELECT last_used_at FROM api_keys")
    assert later >= first
