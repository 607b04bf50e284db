-- name: roll_up
-- Adds a chunk of the ledger to the tallies: rows younger than the last time, of transactions below
-- the oldest one still at work, so that none can turn up later. The row of `tallied` is the lock.
-- Gives one row if there was anything to add.
WITH cursor AS (
    SELECT after_txid
    FROM tallied
    FOR UPDATE SKIP LOCKED
),
chunk AS (
    SELECT ledger.txid
    FROM cursor
    JOIN ledger ON ledger.txid > cursor.after_txid
    WHERE ledger.txid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY ledger.txid
    LIMIT %(chunk)s
),
last AS MATERIALIZED (
    SELECT txid
    FROM chunk
    ORDER BY txid DESC
    LIMIT 1
),
rolled AS (
    INSERT INTO tallies (period, starts_on, user_id, bookings)
    SELECT periods.period, periods.starts_on, entries.user_id, sum(entries.bookings)
    FROM ledger_bookings AS entries
    CROSS JOIN LATERAL periods_of(entries.created_at) AS periods
    WHERE entries.txid > (SELECT after_txid FROM cursor)
        AND entries.txid <= (SELECT txid FROM last)
    GROUP BY periods.period, periods.starts_on, entries.user_id
    ORDER BY periods.period, periods.starts_on, entries.user_id
    ON CONFLICT ON CONSTRAINT tallies_pk DO UPDATE
    SET bookings = tallies.bookings + excluded.bookings
)
UPDATE tallied
SET after_txid = last.txid
FROM last
RETURNING after_txid

-- name: list_top_users
-- Ranks users by the tallies and what the ledger has on top of them. Only the first tallies by rank
-- are read, and as many more as there are users whose count has moved since.
WITH fresh AS (
    SELECT entries.user_id, sum(entries.bookings) AS bookings
    FROM ledger_bookings AS entries
    WHERE entries.txid > (SELECT after_txid FROM tallied)
        AND EXISTS (
            SELECT
            FROM periods_of(entries.created_at) AS periods
            WHERE periods.period = %(period)s
                AND periods.starts_on = %(starts_on)s
        )
    GROUP BY entries.user_id
),
closing AS (
    SELECT bookings.user_id, -count(*) AS bookings
    FROM inventory
    JOIN bookings USING (event_id)
    WHERE inventory.closing
        AND bookings.status IN ('HELD', 'CONFIRMED')
        AND EXISTS (
            SELECT
            FROM periods_of(bookings.created_at) AS periods
            WHERE periods.period = %(period)s
                AND periods.starts_on = %(starts_on)s
        )
    GROUP BY bookings.user_id
),
moved AS MATERIALIZED (
    SELECT user_id, sum(bookings) AS bookings
    FROM (SELECT * FROM fresh UNION ALL SELECT * FROM closing) AS changes
    GROUP BY user_id
),
leaders AS MATERIALIZED (
    SELECT user_id, bookings
    FROM tallies
    WHERE period = %(period)s
        AND starts_on = %(starts_on)s
    ORDER BY bookings DESC, user_id
    LIMIT %(most)s + (SELECT count(*) FROM moved)
),
totals AS (
    SELECT user_id, bookings
    FROM leaders
    WHERE user_id NOT IN (SELECT user_id FROM moved)
    UNION ALL
    SELECT
        moved.user_id,
        moved.bookings + coalesce((
            SELECT tallies.bookings
            FROM tallies
            WHERE tallies.period = %(period)s
                AND tallies.starts_on = %(starts_on)s
                AND tallies.user_id = moved.user_id
        ), 0)
    FROM moved
)
SELECT
    rank() OVER (ORDER BY bookings DESC)::integer AS place,
    user_id,
    bookings::bigint AS bookings_count
FROM totals
WHERE bookings > 0
ORDER BY place, user_id
LIMIT %(most)s
