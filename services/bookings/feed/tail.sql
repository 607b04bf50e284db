-- name: look
-- Reads the last position, and whether the ledger has rows that are not in the feed. It takes no lock
-- and writes nothing. Rows of transactions yet to come are those of another database whose dump was
-- loaded; they are not looked at.
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
-- see. An event is locked until the commit, so the rows of an event that can be seen have no gap, and
-- those that are new follow those that are in the feed.
WITH before AS (
    SELECT
        position,
        seen
    FROM feed
),
entries AS (
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
committed AS (
    SELECT event_id, min(rev) AS first_rev, max(rev) AS last_rev, min(at) AS at
    FROM entries
    GROUP BY event_id
),
-- Never twice, whatever the numbers of transactions say.
new AS (
    SELECT
        event_id,
        greatest(first_rev, told.rev + 1) AS first_rev,
        last_rev,
        row_number() OVER (ORDER BY at, event_id) AS number
    FROM committed
    LEFT JOIN LATERAL (
        SELECT max(feed_spans.last_rev) AS rev
        FROM feed_spans
        WHERE feed_spans.event_id = committed.event_id
    ) AS told ON true
    WHERE told.rev IS NULL
        OR last_rev > told.rev
),
added AS (
    INSERT INTO feed_spans (position, event_id, organizer_id, first_rev, last_rev)
    SELECT before.position + number, event_id, organizer_id, first_rev, last_rev
    FROM before, new
    JOIN inventory USING (event_id)
)
UPDATE feed
SET
    position = before.position + (SELECT count(*) FROM new),
    seen = pg_current_snapshot()
FROM before

-- name: go_on
-- Goes on in a database that was restored from a dump, whose transactions have other numbers. Adds
-- what the dump has of the ledger beyond the feed, and skips more positions than were given since any
-- dump, so that cursors from before the restore stay valid.
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
-- Deletes a chunk of the oldest spans if they are older than is kept. Replicas wait for each other.
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
UPDATE feed
SET forgotten = greatest(forgotten, (SELECT max(position) FROM deleted))
WHERE EXISTS (SELECT FROM deleted)
RETURNING (SELECT count(*) FROM deleted) AS deleted
