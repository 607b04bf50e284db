-- name: look
-- Reads the last position, and whether the ledger or the scans of tickets have rows that are not in
-- the feed. It takes no lock and writes nothing. Rows of transactions yet to come are those of another
-- database whose dump was loaded; they are not looked at.
SELECT
    position,
    coalesce(
        (
            SELECT txid
            FROM ledger
            WHERE txid < pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY txid DESC
            LIMIT 1
        ) >= pg_snapshot_xmax(seen),
        false
    )
    OR EXISTS (
        SELECT
        FROM pg_snapshot_xip(seen) AS running (txid)
        -- One look-up for each, whatever the planner believes.
        CROSS JOIN LATERAL (
            SELECT
            FROM ledger
            WHERE ledger.txid = running.txid
            ORDER BY ledger.txid
            LIMIT 1
        ) AS entry
    )
    OR EXISTS (SELECT FROM ticket_scans WHERE ticket_scans.position IS NULL)
    OR pg_snapshot_xmax(seen) > pg_snapshot_xmax(pg_current_snapshot()) AS has_news
FROM feed

-- name: lock
-- Locks the feed until the transaction ends, and returns whether this database was restored from a
-- dump: then the snapshot is one of the future. Returns no row while another replica has the lock.
-- The next statement has a newer snapshot than any that was stored, since it starts under the lock.
-- Nearly all rows of the ledger are old, so it must be entered by its index, and a backlog may take
-- longer than a request.
SELECT
    pg_snapshot_xmax(seen) > pg_snapshot_xmax(pg_current_snapshot()) AS was_restored,
    set_config('enable_seqscan', 'off', true),
    set_config('statement_timeout', '60s', true)
FROM feed
FOR UPDATE SKIP LOCKED

-- name: move
-- Adds to the feed what was committed since the stored snapshot: rows of transactions that it did not
-- see, and scans that have no position. An event is locked until the commit, so the rows of an event
-- that can be seen have no gap, and those that are new follow those that are in the feed. A scan
-- locks its code alone; it comes after the revision that it was decided by.
WITH before AS (
    SELECT
        position,
        seen
    FROM feed
),
committed AS (
    SELECT event_id, rev, at
    FROM ledger
    WHERE txid >= (SELECT pg_snapshot_xmax(seen) FROM before)
        AND txid < pg_snapshot_xmax(pg_current_snapshot())
    UNION ALL
    -- Not an OR: that would read the whole ledger.
    SELECT entry.event_id, entry.rev, entry.at
    FROM before
    CROSS JOIN LATERAL pg_snapshot_xip(before.seen) AS running (txid)
    CROSS JOIN LATERAL (
        SELECT event_id, rev, at
        FROM ledger
        WHERE ledger.txid = running.txid
        OFFSET 0
    ) AS entry
),
told AS (
    SELECT moved.event_id, last.rev
    FROM (SELECT DISTINCT event_id FROM committed) AS moved
    -- By the index: an event may have many spans.
    CROSS JOIN LATERAL (
        SELECT max(last_rev) AS rev
        FROM feed_spans
        WHERE feed_spans.event_id = moved.event_id
    ) AS last
),
entries AS (
    SELECT event_id, committed.rev, at, NULL::uuid AS code_id, NULL AS nonce
    FROM committed
    JOIN told USING (event_id)
    -- Never twice, whatever the numbers of transactions say.
    WHERE told.rev IS NULL
        OR committed.rev > told.rev
    UNION ALL
    SELECT event_id, rev, received_at, code_id, nonce
    FROM ticket_scans
    WHERE position IS NULL
),
-- Each scan begins a span, and the rows of the ledger that follow it are another one.
ordered AS (
    SELECT
        *,
        count(code_id) OVER (
            PARTITION BY event_id
            ORDER BY rev, code_id IS NOT NULL, at, code_id, nonce
            ROWS UNBOUNDED PRECEDING
        ) AS scans,
        min(at) OVER (PARTITION BY event_id) AS event_at
    FROM entries
),
new AS (
    SELECT
        event_id,
        code_id,
        nonce,
        CASE WHEN code_id IS NULL THEN min(rev) END AS first_rev,
        CASE WHEN code_id IS NULL THEN max(rev) END AS last_rev,
        row_number() OVER (ORDER BY event_at, event_id, scans, code_id IS NULL) AS number
    FROM ordered
    GROUP BY event_at, event_id, scans, code_id, nonce
),
added AS (
    INSERT INTO feed_spans (position, event_id, organizer_id, first_rev, last_rev)
    SELECT before.position + number, event_id, organizer_id, first_rev, last_rev
    FROM before, new
    JOIN inventory USING (event_id)
),
placed AS (
    UPDATE ticket_scans
    SET position = before.position + number
    FROM before, new
    WHERE ticket_scans.event_id = new.event_id
        AND ticket_scans.code_id = new.code_id
        AND ticket_scans.nonce = new.nonce
)
UPDATE feed
SET
    position = before.position + (SELECT count(*) FROM new),
    seen = pg_current_snapshot()
FROM before

-- name: go_on
-- Goes on in a database that was restored from a dump, whose transactions have other numbers. Adds
-- what the dump has of the ledger beyond the feed, and skips more positions than were given since any
-- dump, so that cursors from before the restore stay valid. Scans have no such numbers: they follow.
WITH before AS (
    SELECT position + 1000000 AS position
    FROM feed
),
new AS (
    SELECT
        inventory.event_id,
        inventory.organizer_id,
        max(last_rev) + 1 AS first_rev,
        rev AS last_rev,
        row_number() OVER (ORDER BY inventory.event_id) AS number
    FROM inventory
    JOIN feed_spans USING (event_id)
    GROUP BY inventory.event_id
    HAVING max(last_rev) < rev
),
added AS (
    INSERT INTO feed_spans (position, event_id, organizer_id, first_rev, last_rev)
    SELECT before.position + number, event_id, new.organizer_id, first_rev, last_rev
    FROM before, new
)
UPDATE feed
SET
    position = before.position + (SELECT count(*) FROM new),
    seen = pg_current_snapshot()
FROM before

-- name: list_organizers
-- Lists whose events have changes after a position, and the last position of each.
SELECT organizer_id, max(position) AS position
FROM feed_spans
WHERE position > %(after)s
GROUP BY organizer_id

-- name: forget
-- Deletes a chunk of the oldest spans if they are older than is kept; returns how many, and the last
-- position of them. Replicas wait for each other.
WITH oldest AS (
    SELECT position
    FROM (
        SELECT position, at
        FROM feed_spans
        ORDER BY position
        LIMIT %(chunk)s
    ) AS first
    WHERE at < clock_timestamp() - %(keep)s::interval
),
deleted AS (
    DELETE FROM feed_spans
    USING oldest
    WHERE feed_spans.position = oldest.position
    RETURNING feed_spans.position
)
SELECT count(*), max(position)
FROM deleted

-- name: note_forgotten
-- Stores up to which position the feed is forgotten.
UPDATE feed
SET forgotten = greatest(forgotten, %(position)s)
