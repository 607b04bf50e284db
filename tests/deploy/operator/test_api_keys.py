"""The operator makes API keys for programs, and sees each of them once."""

import asyncio
import os
import subprocess
import sys

import pytest

from services.accounts.credentials.api_keys import ApiKeys, ResolvedApiKey
from tests.conftest import Database
from tests.deploy.operator.conftest import Type
from tests.pools import patient_pool
from tests.services.accounts.client import add_account, execute, read

EMAIL = "ada@example.com"
SECONDS = 20


@pytest.fixture(autouse=True)
def account(database: Database) -> str:
    """Adds an account of EMAIL; returns its id."""
    return add_account(database, email=EMAIL, canonical_email=EMAIL)


def holder(database: Database, api_key: str) -> ResolvedApiKey:
    """Returns the account of a key, as accounts resolves it."""

    async def resolve() -> ResolvedApiKey:
        async with patient_pool(database.accounts_dsn, schema="accounts", size=2) as pool:
            return await ApiKeys(pool).resolve(api_key)

    return asyncio.run(resolve())


def test_prints_the_key_and_nothing_else(database: Database, account: str) -> None:
    """A script could not use the output, or the key not work."""
    scopes = ("--scope", "bookings_read", "--scope", "EVENTS_WRITE")
    finished = subprocess.run(
        [sys.executable, "-m", "deploy.operator", "api-key", EMAIL, *scopes],
        env=os.environ | {"ACCOUNTS_DATABASE_URL": database.accounts_dsn},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert finished.stdout.strip() not in finished.stderr
    found = holder(database, finished.stdout.removesuffix("\n"))
    assert found.account_id == account
    assert set(found.scopes) == {"BOOKINGS_READ", "EVENTS_WRITE"}


def test_a_key_may_expire(type_in: Type, database: Database) -> None:
    """A key could last for ever, or its owner not recognise it."""
    type_in("api-key", EMAIL, "--scope", "EVENTS_WRITE", "--days", "30", "--name", "nightly")
    kept = "SELECT name, expires_at - created_at > interval '29 days' FROM api_keys"
    assert read(database, kept) == [("nightly", True)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing option '--scope'"),
        (("--scope", "EVERYTHING"), "is not one of"),
        (("--scope", "EVENTS_WRITE", "--days", "0"), "is not in the range"),
        (("--scope", "EVENTS_WRITE", "--name", ""), "must have 1 to 100 characters"),
        (("--scope", "EVENTS_WRITE", "--name", "a" * 101), "must have 1 to 100 characters"),
        (("--scope", "BOOKINGS_ANY_USER"), "is no admin"),
    ],
)
def test_a_wrong_scope_or_name_is_refused(
    type_in: Type, database: Database, arguments: tuple[str, ...], said: str
) -> None:
    """A wrong scope or name could make a key."""
    result = type_in("api-key", EMAIL, *arguments)
    assert result.exit_code > 0
    assert said in result.output
    assert read(database, "SELECT FROM api_keys") == []


def test_a_banned_account_gets_no_key(type_in: Type, database: Database) -> None:
    """A banned account could get a key."""
    execute(database, "UPDATE accounts SET banned_at = now()")
    result = type_in("api-key", EMAIL, "--scope", "EVENTS_WRITE")
    assert result.exit_code == 1
    assert result.output == f"Error: {EMAIL} is banned\n"


def test_an_admins_key_acts_for_anyone(type_in: Type) -> None:
    """A key for any user could need a restart, or be refused."""
    assert type_in("make-admin", EMAIL).exit_code == 0
    assert type_in("api-key", EMAIL, "--scope", "BOOKINGS_ANY_USER").exit_code == 0
