"""The operator's changes hold against concurrent requests."""

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
    """Administration, and an account of EMAIL."""
    add_account(database, email=EMAIL, canonical_email=EMAIL)
    return Administration(pool)


async def test_of_concurrent_bans_one_counts(
    administration: Administration, database: Database
) -> None:
    """Repeated bans must not start a generation each."""
    await asyncio.gather(*(administration.ban(EMAIL) for _ in range(4)))
    assert read(database, "SELECT generation FROM accounts") == [(2,)]


async def test_no_generation_is_lost(
    administration: Administration, pool: Pool, database: Database
) -> None:
    """Concurrent changes of role and log-outs must not undo a revocation."""
    account = (await administration.find(EMAIL)).id

    async def log_out() -> None:
        async with pool.connection() as connection, connection.transaction():
            await revoke(connection, account)

    await asyncio.gather(administration.set_role(EMAIL, "ADMIN"), *(log_out() for _ in range(3)))
    assert read(database, "SELECT role, generation FROM accounts") == [("ADMIN", 5)]


async def test_a_ban_ends_all_sessions(administration: Administration, database: Database) -> None:
    """When the ban is lifted, nobody may still be logged in from before."""
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


async def test_setting_a_role_settles_the_request_for_one(
    administration: Administration, database: Database
) -> None:
    """The operator must not see a request again that was decided."""
    execute(database, "UPDATE accounts SET organizer_asked_at = now()")
    await administration.set_role(EMAIL, "ORGANIZER")
    assert read(database, "SELECT organizer_asked_at FROM accounts") == [(None,)]
