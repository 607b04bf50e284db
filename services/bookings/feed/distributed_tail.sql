-- name: list_scans
-- Lists scans that have no position. Read the revisions of events later: none of these then saw a later one.
SELECT
    scan.event_id,
    scan.rev,
    scan.received_at,
    scan.code_id,
    scan.nonce,
    inventory.organizer_id
FROM ticket_scans AS scan
JOIN inventory ON inventory.event_id = scan.event_id
WHERE scan.position IS NULL

-- name: lock
-- Locks the feed until the transaction ends, and reads the last position; returns no row while another
-- replica has the lock. A database that was restored from a dump has a snapshot of the future: then
-- this skips more positions than were given since any dump, so that cursors from before the restore
-- stay valid.
SELECT
    position + CASE
        WHEN pg_snapshot_xmax(seen) > pg_snapshot_xmax(pg_current_snapshot()) THEN 1000000
        ELSE 0
    END AS position
FROM feed
FOR UPDATE SKIP LOCKED

-- name: add
-- Adds to the feed the revisions that events are behind by, and scans, after a position. Returns all that is
-- new in its order, scans with their codes. What an event has in the feed is what its spans say; it
-- has none when they were forgotten, or when it is new. The rows of its ledger are divided at the
-- revisions that scans saw.
WITH told AS (
    SELECT
        event_id,
        rev,
        organizer_id,
        coalesce(
            (SELECT max(last_rev) FROM feed_spans WHERE feed_spans.event_id = behind.event_id),
            after
        ) AS after
    FROM json_to_recordset(%(behind)s)
        AS behind (event_id bigint, after bigint, rev bigint, organizer_id text)
),
scans AS (
    SELECT *
    FROM json_to_recordset(%(scans)s) AS scan (
        event_id bigint,
        rev bigint,
        received_at timestamptz,
        code_id uuid,
        nonce text,
        organizer_id text
    )
),
ends AS (
    SELECT event_id, organizer_id, after, rev
    FROM told
    WHERE rev > after
    UNION
    SELECT event_id, told.organizer_id, after, scans.rev
    FROM told
    JOIN scans USING (event_id)
    WHERE scans.rev > after
        AND scans.rev < told.rev
),
entries AS (
    SELECT
        event_id,
        organizer_id,
        lag(rev, 1, after) OVER (PARTITION BY event_id ORDER BY rev) + 1 AS first_rev,
        rev AS last_rev,
        rev,
        NULL::timestamptz AS received_at,
        NULL::uuid AS code_id,
        NULL AS nonce
    FROM ends
    UNION ALL
    SELECT event_id, organizer_id, NULL, NULL, rev, received_at, code_id, nonce
    FROM scans
),
new AS (
    SELECT
        *,
        %(position)s::bigint + row_number() OVER (
            ORDER BY event_id, rev, code_id IS NOT NULL, received_at, code_id, nonce
        ) AS position
    FROM entries
),
added AS (
    INSERT INTO feed_spans (position, event_id, organizer_id, first_rev, last_rev)
    SELECT position, event_id, organizer_id, first_rev, last_rev
    FROM new
)
SELECT position, event_id, code_id, nonce
FROM new
ORDER BY position

-- name: move
-- Stores the last position. Citus knows this table, so it commits here and on the nodes of scans, or
-- nowhere.
UPDATE feed
SET position = %(position)s, seen = pg_current_snapshot()

-- name: place
-- Stores the positions of scans of one event. It waits for a replica that placed them before and whose
-- commit has not reached their node yet, and then changes fewer rows.
UPDATE ticket_scans
SET position = placed.position
FROM unnest(%(code_ids)s::uuid[], %(nonces)s::text[], %(positions)s::bigint[])
    AS placed (code_id, nonce, position)
WHERE ticket_scans.event_id = %(event_id)s
    AND ticket_scans.code_id = placed.code_id
    AND ticket_scans.nonce = placed.nonce
    AND ticket_scans.position IS NULL

-- name: get_position
-- Reads the last position.
SELECT position
FROM feed
