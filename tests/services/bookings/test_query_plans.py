import re
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import psycopg

from services.bookings import tail as tail_module
from services.bookings.access import Viewer
from services.bookings.feed import changes as changes_module
from services.bookings.inventory import inventory as inventory_module
from services.bookings.live import live as live_module
from services.bookings.rankings import distributed as distributed_rankings_module
from services.bookings.rankings import rankings as rankings_module
from services.bookings.reports import reports as reports_module
from services.bookings.reports import sheets as sheets_module
from services.bookings.reservations import reading as bookings_module
from services.bookings.waiting_list import waiting_list as waiting_list_module
from services.kit.auth.authentication import Caller
from services.kit.rpc.paging import FIRST
from tests.conftest import Database

STRANGER = Viewer(Caller("acct_stranger"), open_access=False)
WANTED = '[{"position": 7, "event_id": 7, "revs": [7]}]'
READS: dict[str, tuple[bytes, dict[str, Any]]] = {
    f"{module.__name__}.{name}": (statement, values)
    for module, values in (
        (
            bookings_module,
            {
                "id": 7,
                "user_id": "user-7",
                "event_id": 7,
                "reference": uuid4(),
                "status": "HELD",
                "offset": 10,
                **STRANGER.rows(),
            },
        ),
        (inventory_module, {"event_ids": [7, 8]}),
        (changes_module, {"wanted": WANTED, "position": 7, "rev": 7}),
        (distributed_rankings_module, {"unread": WANTED}),
        (live_module, {"event_id": 7}),
        (
            reports_module,
            {"event_id": 7, "at": datetime.now(UTC), "type_numbers": bytes(100)},
        ),
        (sheets_module, {"event_id": 7, "after": 3, "booking_ids": [3, 5]}),
        (
            tail_module,
            {"event_id": 7, "after": 3, "last": 9, "event_ids": [7], "revs": [3], "versions": [1]},
        ),
        (
            waiting_list_module,
            {"event_id": 7, "user_id": "user-7", "after": 3, "first": 3, **STRANGER.rows()},
        ),
        (
            rankings_module,
            {"period": "all", "starts_on": date(1, 1, 1), "with_accounts": True, "most": 10},
        ),
    )
    for name, statement in module.SQL.items()
    if name.startswith(("get_", "list_", "count_", "read_", "sum_"))
}
READ_VALUES = {"before": FIRST, "limit": 51}


async def test_no_read_looks_through_a_whole_table(database: Database) -> None:
    """Reading would become slower with each booking that is made."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute("SET search_path TO bookings")
        _fill(connection)
        for name, (statement, values) in READS.items():
            plan = _plan(connection, statement, values | READ_VALUES)
            scanned = set(re.findall(r"Seq Scan on (\w+)", plan))
            # A table of one row needs no index.
            assert scanned <= {"tallied", "feed"}, f"{name}\n{plan}"


def _plan(connection: psycopg.Connection, statement: bytes, values: dict[str, Any]) -> str:
    rows = connection.execute(b"EXPLAIN " + statement, values).fetchall()
    return "\n".join(str(line) for (line,) in rows)


def _fill(connection: psycopg.Connection) -> None:
    """Makes 400 events with 20 bookings each of 4000 users, all but the last in the tallies."""
    connection.execute("""
        INSERT INTO inventory (
            event_id, capacity, sold, live_bookings, rev, epoch, catalogue_rev, verdict, name,
            status, deleted
        )
        SELECT n, 100, 20, 20, 21, '', 1, 'APPLIED', 'Concert', 'PUBLISHED', false
        FROM generate_series(1, 400) AS n
    """)
    connection.execute("""
        INSERT INTO bookings (
            event_id, id, reference, user_id, status, exclusive, seat_count, created_at
        )
        SELECT
            n / 20 + 1, n, gen_random_uuid(), 'user-' || n % 4000, 'CONFIRMED', true, 1, now()
        FROM generate_series(1, 7999) AS n
    """)
    connection.execute("""
        INSERT INTO ledger (event_id, rev, kind, booking_id, user_id, seats, at)
        SELECT event_id, id, 'RESERVED', id, user_id, 1, created_at
        FROM bookings
    """)
    connection.execute("""
        INSERT INTO waiting_list (
            event_id, place, user_id, seat_count, state, joined_at, changed_at
        )
        SELECT n / 20 + 1, n, 'user-' || n % 4000, 1, 'WAITING', now(), now()
        FROM generate_series(1, 7999) AS n
    """)
    _fill_tickets_and_payments(connection)
    connection.execute(
        "INSERT INTO seat_blocks (event_id, block) SELECT event_id, 0 FROM inventory"
    )
    connection.execute("""
        SELECT tally(array_agg(user_id), array_agg(day), array_agg(bookings))
        FROM (
            SELECT user_id, created_at::date AS day, count(*)::integer AS bookings
            FROM bookings
            GROUP BY user_id, day
        ) AS counted
    """)
    connection.execute("""
        INSERT INTO feed_spans (position, event_id, first_rev, last_rev)
        SELECT row_number() OVER (), event_id, rev, rev
        FROM ledger
    """)
    connection.execute("UPDATE tallied SET after_txid = (SELECT max(txid) FROM ledger)")
    connection.execute("VACUUM ANALYZE")
    # Small tables are read whole when a hundred rows of them are looked up.
    connection.execute("""
        UPDATE pg_class
        SET reltuples = reltuples * 100
        WHERE relname IN ('ledger', 'bookings', 'tickets', 'ticket_codes', 'ticket_scans')
    """)


def _fill_tickets_and_payments(connection: psycopg.Connection) -> None:
    """Makes the ticket and the payment of each booking, refunded in part, and scans its ticket."""
    connection.execute("""
        INSERT INTO tickets (event_id, id, booking_id, user_id, created_at, valid_at)
        SELECT event_id, gen_random_uuid(), id, user_id, now(), now()
        FROM bookings
    """)
    connection.execute("""
        INSERT INTO ticket_codes (event_id, code_id, ticket_id, place, used_at, used_nonce)
        SELECT event_id, gen_random_uuid(), id, 1, now(), 'scan'
        FROM tickets
    """)
    connection.execute("""
        INSERT INTO ticket_scans (event_id, code_id, nonce, scanned_at, received_at, was_first)
        SELECT event_id, code_id, 'scan', now(), now(), true
        FROM ticket_codes
    """)
    connection.execute("""
        INSERT INTO payments (
            event_id, id, booking_id, user_id, provider, method, status, amount_minor, currency,
            created_at, received_minor, received_currency, refunding_minor, refunded_minor,
            settled_at
        )
        SELECT
            event_id, gen_random_uuid(), id, user_id, 'sandbox', 'card', 'SUCCEEDED', 900, 'EUR',
            now(), 900, 'EUR', 400, 400, now()
        FROM bookings
    """)
    connection.execute("""
        INSERT INTO refunds (
            event_id, id, payment_id, booking_id, amount_minor, currency, reason, status,
            created_at, refunded_at
        )
        SELECT
            event_id, id, id, booking_id, 400, 'EUR', 'REQUESTED', 'REFUNDED', now(), now()
        FROM payments
    """)
