"""What the benchmark does in the database itself: an event of many bookings, and the last check."""

import psycopg

OF_THE_EVENT, OF_ANOTHER = 800_000, 200_000
ROOM = 1_000_000

_BOOK = """
    WITH booked AS (
        INSERT INTO bookings (
            event_id, id, reference, user_id, status, exclusive, seat_count, created_at
        )
        SELECT
            %(event_id)s, nextval('booking_id'), gen_random_uuid(), 'grown-' || i, 'CONFIRMED',
            true, 1, now()
        FROM generate_series(1, %(seats)s) AS i
        RETURNING id, user_id
    )
    INSERT INTO ledger (event_id, rev, kind, booking_id, user_id, seats, at)
    SELECT
        %(event_id)s, 1 + row_number() OVER (ORDER BY id), 'RESERVED', id, user_id, 1, now()
    FROM booked
"""
_COUNT = """
    UPDATE inventory
    SET sold = %(seats)s, live_bookings = %(seats)s, rev = 1 + %(seats)s
    WHERE event_id = %(event_id)s
"""
# So many at once would keep the roll-up of the rankings busy for as long as a round.
_TALLY = "UPDATE tallied SET after_txid = pg_current_xact_id()"
_DRIFT = """
    SELECT count(*)
    FROM inventory
    LEFT JOIN (
        SELECT event_id, sum(seat_count) AS seats FROM bookings GROUP BY event_id
    ) AS live USING (event_id)
    JOIN (
        SELECT event_id, sum(seats) AS seats, count(*) AS revs FROM ledger GROUP BY event_id
    ) AS entries USING (event_id)
    WHERE (sold, sold, rev) IS DISTINCT FROM
        (coalesce(live.seats, 0), entries.seats, entries.revs)
"""


def grow(owner_dsn: str, event_id: int, another: int) -> None:
    """Books two new events as if it had been done one by one; the first has some room left."""
    with psycopg.connect(owner_dsn, options="-c search_path=bookings") as connection:
        for grown, seats in ((event_id, OF_THE_EVENT), (another, OF_ANOTHER)):
            values = {"event_id": grown, "seats": seats}
            connection.execute(_BOOK, values)
            connection.execute(_COUNT, values)
        connection.execute(_TALLY)
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        # Or it would be done by itself in the midst of a case.
        connection.execute("VACUUM ANALYZE")


def booked(owner_dsn: str, event_id: int) -> int:
    """Counts the bookings of an event."""
    with psycopg.connect(owner_dsn, options="-c search_path=bookings") as connection:
        count = "SELECT count(*) FROM bookings WHERE event_id = %s"
        [(found,)] = connection.execute(count, [event_id]).fetchall()
    return int(found)


def drift(owner_dsn: str) -> int:
    """Counts the events whose counters, rows and ledger disagree."""
    with psycopg.connect(owner_dsn, options="-c search_path=bookings") as connection:
        [(found,)] = connection.execute(_DRIFT).fetchall()
    return int(found)
