import re
from typing import Any

import psycopg

from services.accounts.credentials import codes, sessions
from services.accounts.outbox import outbox as emails
from services.bookings.payments import looks, refunds, sandbox_webhooks
from services.bookings.tickets import letters
from services.bookings.waiting_list import notices
from services.bookings.webhooks import deliveries
from services.bookings.webhooks import letters as webhook_letters
from services.kit.database import idempotency
from tests.conftest import Database

ACCOUNTS = {
    "forget_codes": codes.SQL["forget_codes"],
    "forget_sessions": sessions.SQL["forget_sessions"],
    "lease_emails": emails.SQL["lease_emails"],
}
BOOKINGS = {
    "attempts": looks.SQL["find"],
    "refunds": refunds.SQL["find"],
    "webhooks of the sandbox": sandbox_webhooks.SQL["lease"],
    "tickets": letters.SQL["find_letters"],
    "notices": notices.SQL["find_notices"],
    "webhooks": deliveries.SQL["lease"],
    "letters of webhooks": webhook_letters.SQL["lease_letters"],
    "results": idempotency.SQL["forget"],
}
VALUES: dict[str, Any] = {"limit": 20, "chunk": 20, "lease_seconds": 10, "provider": "sandbox"}


def test_workers_look_at_no_row_that_is_not_due(database: Database) -> None:
    """They would look through a million letters each second while accounts is down."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET enable_seqscan = off")
        for schema, statements in (("accounts", ACCOUNTS), ("bookings", BOOKINGS)):
            connection.execute(f"SET search_path TO {schema}")
            for name, statement in statements.items():
                rows = connection.execute(b"EXPLAIN " + statement, VALUES).fetchall()
                plan = "\n".join(row for (row,) in rows)
                assert re.search(r"Index Cond: .*now\(\)", plan), f"{name}\n{plan}"
