-- name: list_queues
-- Lists the events whose queues are on.
SELECT event_id
FROM queues
WHERE enabled

-- name: lock_queue
-- Locks the queue of an event that is on; no row if another process has it, or it is off.
SELECT
    opens_at IS NULL OR opens_at <= present() AS is_open,
    rate_per_minute,
    max_active,
    admission_seconds,
    last_id,
    draw_size,
    drawn,
    seed,
    credit,
    rate_seen,
    extract(epoch FROM present() - ticked_at)::double precision AS seconds,
    present() AS now
FROM queues
WHERE event_id = %(event_id)s
    AND enabled
FOR NO KEY UPDATE SKIP LOCKED

-- name: go_by_places
-- Has the statements of the transaction read entries by their index, in the order of places. Statistics may be
-- of a time when the queue was empty: then 100,000 rows would be sorted to find the first thousand.
SET LOCAL enable_sort = off

-- name: allow_a_long_statement
-- Lets statements of the transaction run for a minute: changing 100,000 rows may take longer than a request
-- is allowed to.
SET LOCAL statement_timeout = '60s'

-- name: excuse
-- Counts an outage for nobody who waited or was away: what they showed before it is so much later.
UPDATE queue_entries
SET seen_at = least(
    -- Citus lets an UPDATE calculate with times of rows only where no time zone matters.
    (seen_at AT TIME ZONE 'UTC' + make_interval(secs => %(seconds)s)) AT TIME ZONE 'UTC',
    %(now)s
)
WHERE event_id = %(event_id)s
    AND state IN ('WAITING', 'AWAY')

-- name: note_attendance
-- Stores that the queue is attended to, while nobody is admitted.
UPDATE queues
SET ticked_at = %(now)s
WHERE event_id = %(event_id)s

-- name: open
-- Opens a queue: those who have joined get their places by the draw, others by their numbers.
UPDATE queues
SET
    draw_size = last_id,
    ticked_at = %(now)s
WHERE event_id = %(event_id)s

-- name: draw
-- Assigns the next places of the draw to entries, and records which of them wait.
WITH placed AS (
    UPDATE queue_entries
    SET place = drawn.place
    FROM unnest(%(ids)s::bigint[], %(places)s::bigint[]) AS drawn (id, place)
    WHERE queue_entries.event_id = %(event_id)s
        AND queue_entries.id = drawn.id
    RETURNING queue_entries.place, state
),
counted AS (
    UPDATE queues
    SET
        drawn = drawn + (SELECT count(*) FROM placed),
        seq = seq + 1
    WHERE event_id = %(event_id)s
    RETURNING seq
)
INSERT INTO queue_changes (event_id, seq, waits, places)
SELECT
    %(event_id)s,
    seq,
    true,
    (SELECT coalesce(array_agg(place), '{}') FROM placed WHERE state = 'WAITING')
FROM counted

-- name: end_admissions
-- Ends the admissions whose time is over. Rows that a booking has locked are left for the next time.
UPDATE queue_entries
SET state = 'EXPIRED'
FROM (
    SELECT id
    FROM queue_entries
    WHERE event_id = %(event_id)s
        AND state = 'ADMITTED'
        AND admitted_until <= %(now)s
    FOR NO KEY UPDATE SKIP LOCKED
) AS ended
WHERE event_id = %(event_id)s
    AND queue_entries.id = ended.id

-- name: count_active
-- Counts those who are admitted.
SELECT count(*)
FROM queue_entries
WHERE event_id = %(event_id)s
    AND state = 'ADMITTED'

-- name: admit
-- Admits the first who wait and were seen lately; returns their places.
UPDATE queue_entries
SET
    state = 'ADMITTED',
    admitted_until = %(now)s + make_interval(secs => %(admission_seconds)s)
FROM (
    SELECT id
    FROM queue_entries
    WHERE event_id = %(event_id)s
        AND state = 'WAITING'
        AND place IS NOT NULL
        AND seen_at > %(now)s - make_interval(secs => %(present_seconds)s)
    ORDER BY place
    LIMIT %(room)s
) AS first
WHERE event_id = %(event_id)s
    AND queue_entries.id = first.id
RETURNING place

-- name: note_tick
-- Stores what is left of the rate, and how many were admitted lately.
UPDATE queues
SET
    credit = %(credit)s,
    rate_seen = %(rate_seen)s,
    ticked_at = %(now)s
WHERE event_id = %(event_id)s

-- name: send_away
-- Takes those out of the line who were not seen lately; returns their places.
UPDATE queue_entries
SET state = 'AWAY'
FROM (
    SELECT id
    FROM queue_entries
    WHERE event_id = %(event_id)s
        AND state = 'WAITING'
        AND seen_at <= %(now)s - make_interval(secs => %(present_seconds)s)
    ORDER BY place
    LIMIT %(chunk)s
) AS silent
WHERE event_id = %(event_id)s
    AND queue_entries.id = silent.id
RETURNING place

-- name: end_away
-- Ends the places of those who were away for too long.
UPDATE queue_entries
SET state = 'EXPIRED'
WHERE event_id = %(event_id)s
    AND state = 'AWAY'
    AND seen_at <= %(now)s - make_interval(secs => %(away_seconds)s)

-- name: forget_changes
-- Deletes changes that nobody needs any more.
DELETE FROM queue_changes
USING queues
WHERE queues.event_id = %(event_id)s
    AND queue_changes.event_id = queues.event_id
    AND queue_changes.seq <= queues.seq - %(kept)s
