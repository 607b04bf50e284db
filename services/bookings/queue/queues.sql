-- name: lock_queue
-- Locks the queue of an event that is on; returns no row if it is off. All who change who waits hold this
-- lock, so places are given, and changes are numbered, in the order of commits.
SELECT
    last_id,
    draw_size,
    present() AS now
FROM queues
WHERE event_id = %(event_id)s
    AND enabled
FOR NO KEY UPDATE

-- name: find_entries_of_users
-- Finds the entries of users who wait, are away or admitted.
SELECT id, place, user_id, state
FROM queue_entries
WHERE event_id = %(event_id)s
    AND user_id = ANY (%(user_ids)s::text[])
    AND state IN ('WAITING', 'AWAY', 'ADMITTED')

-- name: add_entries
-- Adds users at the end of the queue. Those who join before the draw get their places by it.
INSERT INTO queue_entries (
    event_id, id, place, user_id, secret_hash, state, joined_at, seen_at
)
SELECT
    %(event_id)s,
    joined.id,
    CASE WHEN %(is_drawn)s THEN joined.id END,
    joined.user_id,
    joined.secret_hash,
    'WAITING',
    %(now)s,
    %(now)s
FROM unnest(%(ids)s::bigint[], %(user_ids)s::text[], %(secret_hashes)s::bytea[])
    AS joined (id, user_id, secret_hash)

-- name: renew_entries
-- Replaces the secrets of entries; those who were away wait again, at their old places.
UPDATE queue_entries
SET
    secret_hash = renewed.secret_hash,
    seen_at = %(now)s,
    state = CASE state WHEN 'AWAY' THEN 'WAITING' ELSE state END
FROM unnest(%(ids)s::bigint[], %(secret_hashes)s::bytea[]) AS renewed (id, secret_hash)
WHERE queue_entries.event_id = %(event_id)s
    AND queue_entries.id = renewed.id

-- name: return_entries
-- Lets entries that were away wait again, at their old places; returns the places.
UPDATE queue_entries
SET
    seen_at = %(now)s,
    state = 'WAITING'
WHERE event_id = %(event_id)s
    AND id = ANY (%(ids)s::bigint[])
    AND state = 'AWAY'
RETURNING id, place

-- name: leave
-- Ends an entry; returns its place if it waited.
UPDATE queue_entries AS entry
SET state = 'LEFT'
FROM queue_entries AS before
WHERE entry.event_id = %(event_id)s
    AND entry.id = %(id)s
    AND entry.state IN ('WAITING', 'AWAY', 'ADMITTED')
    AND before.event_id = entry.event_id
    AND before.id = entry.id
RETURNING CASE before.state WHEN 'WAITING' THEN entry.place END

-- name: count_joined
-- Stores the number of the last one who joined.
UPDATE queues
SET last_id = %(last_id)s
WHERE event_id = %(event_id)s

-- name: record
-- Records that places wait from now on, or do not. The queue is locked.
WITH counted AS (
    UPDATE queues
    SET seq = seq + 1
    WHERE event_id = %(event_id)s
    RETURNING seq
)
INSERT INTO queue_changes (event_id, seq, waits, places)
SELECT %(event_id)s, seq, %(waits)s, %(places)s::bigint[]
FROM counted
RETURNING seq

-- name: find_entries
-- Finds the latest entries of an event by the hashes of their tokens or, where that is null, by accounts.
SELECT
    asked.number,
    entry.id,
    entry.place,
    entry.state,
    entry.admitted_until,
    entry.seen_at < present() - interval '10 seconds' AS is_stale
FROM unnest(%(numbers)s::integer[], %(secret_hashes)s::bytea[], %(user_ids)s::text[])
    AS asked (number, secret_hash, user_id)
CROSS JOIN LATERAL (
    (
        SELECT id, place, state, admitted_until, seen_at
        FROM queue_entries
        WHERE event_id = %(event_id)s
            AND queue_entries.secret_hash = asked.secret_hash
    )
    UNION ALL
    (
        SELECT id, place, state, admitted_until, seen_at
        FROM queue_entries
        WHERE asked.secret_hash IS NULL
            AND event_id = %(event_id)s
            AND queue_entries.user_id = asked.user_id
        ORDER BY id DESC
        LIMIT 1
    )
) AS entry

-- name: see_entries
-- Notes a sign of life of entries of an event that wait.
WITH moment AS (
    SELECT present() AS now
),
seen AS (
    UPDATE queue_entries
    SET seen_at = now
    FROM moment
    WHERE event_id = %(event_id)s
        AND id = ANY (%(ids)s::bigint[])
        AND state = 'WAITING'
    RETURNING id
)
SELECT id
FROM seen
