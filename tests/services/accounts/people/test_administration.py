"""What the operator does holds against whoever acts at the same time."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.credentials.revocations import revoke
from services.accounts.people.administration import Administration
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.accounts.client import add_account, execute, insert, read

EMAIL = "ada@example.com"


@pytest.fixture
def administration(pool: Pool, database: Database) -> Administration:
    """Gives the noun, and an account of EMAIL."""
    add_account(database, email=EMAIL, canonical_email=EMAIL)
    return Administration(pool)


async def test_of_many_bans_at_once_one_ends_the_tokens(
    administration: Administration, database: Database
) -> None:
    """The others find it done."""
    await asyncio.gather(*(administration.ban(EMAIL) for _ in range(4)))
    assert read(database, "SELECT generation FROM accounts") == [(2,)]


async def test_no_generation_is_lost(
    administration: Administration, pool: Pool, database: Database
) -> None:
    """Changes of a role and log-outs everywhere each begin one."""
    account = (await administration.find(EMAIL)).id

    async def log_out() -> None:
        async with pool.connection() as connection, connection.transaction():
            await revoke(connection, account)

    await asyncio.gather(administration.set_role(EMAIL, "ADMIN"), *(log_out() for _ in range(3)))
    assert read(database, "SELECT role, generation FROM accounts") == [("ADMIN", 5)]


async def test_a_ban_ends_every_log_in(administration: Administration, database: Database) -> None:
    """When it is taken back, nobody is still logged in from before."""
    insert(
        database,
        "sessions",
        id=uuid.uuid4(),
        account_id=(await administration.find(EMAIL)).id,
        current_sha256=bytes(32),
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    await administration.ban(EMAIL)
    assert read(database, "SELECT FROM sessions") == []


async def test_a_role_answers_whoever_asked_for_one(
    administration: Administration, database: Database
) -> None:
    """Whether it was given or not."""
    execute(database, "UPDATE accounts SET organizer_asked_at = now()")
    await administration.set_role(EMAIL, "ORGANIZER")
    assert read(database, "SELECT organizer_asked_at FROM accounts") == [(None,)]
