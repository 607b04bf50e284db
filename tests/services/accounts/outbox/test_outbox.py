from datetime import timedelta

import psycopg
from prometheus_client import REGISTRY

from services.accounts.outbox.outbox import EmailKind, Outbox, enqueue
from services.accounts.users.addresses import Address
from services.kit.database.postgres import Pool
from tests.conftest import Database


def figures() -> list[float | None]:
    """Returns what Prometheus reads: the number of waiting e-mails, and the age of the oldest."""
    names = ("boxoffice_emails_waiting", "boxoffice_email_lag_seconds")
    return [REGISTRY.get_sample_value(name) for name in names]


async def test_waiting_emails_are_measured(pool: Pool, database: Database) -> None:
    """Nobody would notice that the mail server refuses all e-mails."""
    outbox = Outbox(pool)
    await outbox.measure()
    assert figures() == [0, 0]
    async with pool.connection() as connection:
        for name in ("ada", "bob"):
            address = Address(f"{name}@example.com", f"{name}@example.com")
            await enqueue(connection, EmailKind.REGISTER_CODE, address)
    with psycopg.connect(database.owner_dsn) as owner:
        later = timedelta(hours=1)
        owner.execute(
            "UPDATE accounts.outbox SET asked_at = asked_at - %s WHERE email LIKE 'ada%%'", [later]
        )
    await outbox.measure()
    waiting, lag = figures()
    assert waiting == 2
    assert lag is not None
    assert 3600 <= lag < 7200
