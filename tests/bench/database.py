"""Fills the database for the benchmark, and checks it at the end."""

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
_WAIT = """
    WITH waiting AS (
        INSERT INTO waiting_list (
            event_id, place, user_id, seat_count, state, joined_at, changed_at
        )
        SELECT %(event_id)s, i, 'waiting-' || i, 1, 'WAITING', now(), now()
        FROM generate_series(1, %(waiting)s) AS i
        RETURNING place, user_id
    ),
    counted AS (
        UPDATE inventory
        SET waiting = %(waiting)s, last_place = %(waiting)s, rev = rev + %(waiting)s
        WHERE event_id = %(event_id)s
        RETURNING rev - %(waiting)s AS base_rev
    )
    INSERT INTO ledger (event_id, rev, kind, place, user_id, seats, at)
    SELECT %(event_id)s, base_rev + place, 'JOINED', place, user_id, 0, now()
    FROM waiting, counted
"""
# Otherwise the roll-up of the rankings would be busy with them for a whole round.
_TALLY = "UPDATE tallied SET after_txid = pg_current_xact_id()"
_DRIFT = """
    SELECT count(*)
    FROM inventory
    LEFT JOIN (
        SELECT event_id, sum(seat_count) AS seats
        FROM bookings
        WHERE status IN ('HELD', 'CONFIRMED')
        GROUP BY event_id
    ) AS live USING (event_id)
    LEFT JOIN (
        SELECT event_id, count(*) AS entries
        FROM waiting_list
        WHERE state = 'WAITING'
        GROUP BY event_id
    ) AS line USING (event_id)
    JOIN (
        SELECT event_id, sum(seats) AS seats, count(*) AS revs FROM ledger GROUP BY event_id
    ) AS entries USING (event_id)
    WHERE (sold + held, sold + held + blocked, waiting, rev) IS DISTINCT FROM
            (coalesce(live.seats, 0), entries.seats, coalesce(line.entries, 0), entries.revs)
        OR (plan_id IS NOT NULL AND NOT seats_agree(event_id))
"""


def number_of(owner_dsn: str, key: str) -> int:
    """Returns the id of an event by its key."""
    with psycopg.connect(owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        found = connection.execute("SELECT event_id FROM inventory WHERE key = %s", [key])
        [(number,)] = found.fetchall()
    return int(number)


def grow(owner_dsn: str, event_id: int, another: int) -> None:
    """Fills two new events as single bookings would; the first has some seats left."""
    with psycopg.connect(owner_dsn, options="-c search_path=bookings") as connection:
        for grown, seats in ((event_id, OF_THE_EVENT), (another, OF_ANOTHER)):
            _book(connection, grown, seats)
        connection.execute(_TALLY)
    _vacuum(owner_dsn)


def fill_waiting_list(owner_dsn: str, key: str, *, holders: int, waiting: int) -> None:
    """Sells out a new event to the users `grown-…`, and puts users `waiting-…` on its list."""
    with psycopg.connect(owner_dsn, options="-c search_path=bookings") as connection:
        find = "SELECT event_id FROM inventory WHERE key = %s"
        [(event_id,)] = connection.execute(find, [key]).fetchall()
        _book(connection, event_id, holders)
        connection.execute(_WAIT, {"event_id": event_id, "waiting": waiting})
        connection.execute(_TALLY)
    _vacuum(owner_dsn)


def booked(owner_dsn: str, event_id: int) -> int:
    """Counts the bookings of an event."""
    with psycopg.connect(owner_dsn, options="-c search_path=bookings") as connection:
        count = "SELECT count(*) FROM bookings WHERE event_id = %s"
        [(found,)] = connection.execute(count, [event_id]).fetchall()
    return int(found)


def ended_holds(owner_dsn: str) -> int:
    """Counts the bookings whose holds have ended."""
    with psycopg.connect(owner_dsn, options="-c search_path=bookings") as connection:
        count = "SELECT count(*) FROM bookings WHERE status = 'EXPIRED'"
        [(found,)] = connection.execute(count).fetchall()
    return int(found)


def drift(owner_dsn: str) -> int:
    """Counts the events whose counters, rows, seats and ledger disagree."""
    with psycopg.connect(owner_dsn, options="-c search_path=bookings") as connection:
        [(found,)] = connection.execute(_DRIFT).fetchall()
    return int(found)


def _book(connection: psycopg.Connection, event_id: int, seats: int) -> None:
    values = {"event_id": event_id, "seats": seats}
    connection.execute(_BOOK, values)
    connection.execute(_COUNT, values)


def _vacuum(owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        # Otherwise autovacuum would run during a case.
        connection.execute("VACUUM ANALYZE")
