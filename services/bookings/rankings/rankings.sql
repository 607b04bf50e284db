-- name: roll_up
-- Adds a chunk of the ledger to the tallies: rows of transactions after the last roll-up and before
-- the oldest transaction that still runs, so that no row can appear later. The row of `tallied` is
-- the lock. Returns the number of rows in the chunk; no row if there are none.
WITH cursor AS (
    SELECT after_txid
    FROM tallied
    FOR UPDATE SKIP LOCKED
),
chunk AS (
    SELECT txid
    FROM ledger
    -- A subquery, so that the index is entered here and not read from its beginning.
    WHERE txid > (SELECT after_txid FROM cursor)
        AND txid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY txid
    LIMIT %(chunk)s
),
last AS MATERIALIZED (
    SELECT txid, count(*) OVER () AS rows
    FROM chunk
    ORDER BY txid DESC
    LIMIT 1
),
rolled AS (
    SELECT tally(array_agg(user_id), array_agg(day), array_agg(change))
    FROM (
        SELECT
            user_id,
            (created_at AT TIME ZONE 'UTC')::date AS day,
            sum(bookings)::integer AS change
        FROM ledger_bookings AS entries
        WHERE entries.txid > (SELECT after_txid FROM cursor)
            AND entries.txid <= (SELECT txid FROM last)
        GROUP BY user_id, day
        HAVING sum(bookings) <> 0
    ) AS changed
)
UPDATE tallied
SET after_txid = last.txid
FROM last, rolled
RETURNING last.rows

-- name: untallied
-- Bookings that came or went since the last roll-up.
SELECT user_id, (created_at AT TIME ZONE 'UTC')::date AS day, bookings
FROM ledger_bookings
WHERE txid > (SELECT after_txid FROM tallied)
UNION ALL
SELECT lost.user_id, (lost.created_at AT TIME ZONE 'UTC')::date, -1
FROM inventory
CROSS JOIN LATERAL (
    SELECT user_id, created_at
    FROM bookings
    WHERE bookings.event_id = inventory.event_id
        AND status IN ('HELD', 'CONFIRMED')
    -- Mostly no event is closing, and then nothing is looked at, whatever the planner knows.
    OFFSET 0
) AS lost
WHERE inventory.closing

-- name: list_top_users
-- Ranks users by the tallies and what is not in them yet. Reads only the first users of the tallies,
-- and as many more as there are users whose count has changed since. Of the users with one booking,
-- it reads the first of each day, and none if enough users have more.
WITH RECURSIVE span AS MATERIALIZED (
    SELECT
        %(starts_on)s::date AS starts_on,
        CASE %(period)s
            WHEN 'all' THEN date 'infinity'
            ELSE (%(starts_on)s::date + ('1 ' || %(period)s)::interval)::date
        END AS ends_on
),
changes AS (
    {untallied}
),
moved AS MATERIALIZED (
    SELECT user_id, sum(bookings) AS bookings
    FROM changes
    WHERE day >= (SELECT starts_on FROM span)
        AND day < (SELECT ends_on FROM span)
    GROUP BY user_id
),
leaders AS MATERIALIZED (
    SELECT user_id, bookings
    FROM ranks
    WHERE period = %(period)s
        AND starts_on = %(starts_on)s
        AND (%(with_accounts)s OR NOT is_account(user_id))
    ORDER BY bookings DESC, user_id
    LIMIT %(most)s + (SELECT count(*) FROM moved)
),
days AS (
    (
        SELECT day
        FROM tallies
        WHERE bookings > 0
            AND day >= (SELECT starts_on FROM span)
            AND day < (SELECT ends_on FROM span)
        ORDER BY day
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT tallies.day
        FROM tallies
        WHERE tallies.bookings > 0
            AND tallies.day > days.day
            AND tallies.day < (SELECT ends_on FROM span)
        ORDER BY tallies.day
        LIMIT 1
    )
    FROM days
    WHERE days.day IS NOT NULL
),
singles AS (
    SELECT DISTINCT first.user_id
    FROM days
    CROSS JOIN LATERAL (
        SELECT user_id
        FROM tallies
        WHERE tallies.day = days.day
            AND bookings > 0
            AND user_id NOT IN (SELECT user_id FROM moved)
            AND user_id NOT IN (SELECT user_id FROM leaders)
            AND (%(with_accounts)s OR NOT is_account(user_id))
        ORDER BY user_id
        LIMIT %(most)s
    ) AS first
    WHERE (SELECT count(*) FROM leaders WHERE user_id NOT IN (SELECT user_id FROM moved))
        < %(most)s
),
totals AS (
    SELECT user_id, bookings
    FROM leaders
    WHERE user_id NOT IN (SELECT user_id FROM moved)
    UNION ALL
    SELECT user_id, 1
    FROM singles
    UNION ALL
    SELECT
        moved.user_id,
        moved.bookings + coalesce((
            SELECT sum(tallies.bookings)
            FROM tallies
            WHERE tallies.user_id = moved.user_id
                AND tallies.day >= (SELECT starts_on FROM span)
                AND tallies.day < (SELECT ends_on FROM span)
        ), 0)
    FROM moved
)
SELECT
    rank() OVER (ORDER BY bookings DESC)::integer AS place,
    user_id,
    bookings::bigint AS bookings_count
FROM totals
WHERE bookings > 0
    AND (%(with_accounts)s OR NOT is_account(user_id))
ORDER BY place, user_id
LIMIT %(most)s
