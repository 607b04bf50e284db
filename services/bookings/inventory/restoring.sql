-- name: count_restores
-- Counts a restore when this is not the database that was looked at last: a dump was loaded, a cluster
-- was recovered to a point in time, or a standby took over. The very first look only stores the name.
WITH found AS (
    SELECT
        concat_ws(
            '/', system_identifier, timeline_id, pg_database.oid, 'lineage'::regclass::oid
        ) AS name
    FROM pg_control_system(), pg_control_checkpoint(), pg_database
    WHERE pg_database.datname = current_database()
),
counted AS (
    UPDATE lineage
    SET
        restores = CASE WHEN lineage.name = '' THEN restores ELSE restores + 1 END,
        name = found.name
    FROM found
    WHERE lineage.name <> found.name
    RETURNING lineage.restores
)
SELECT coalesce((SELECT restores FROM counted), restores) AS restores
FROM lineage

-- name: lagging_events
-- Lists events whose revisions are of a time before the restore. Events that were made since are among them:
-- they may have been known before.
SELECT event_id
FROM inventory
WHERE rev < %(restores)s::bigint * 1000000000
LIMIT %(chunk)s

-- name: raise_revision
-- Raises the revision of an event of a restored database, unless a transaction has it locked. The
-- last nine digits go on counting the changes; those before them count the restores. So no
-- revision means two things, although the changes since the backup are lost. The ledger shows it as
-- a change of the number of seats to the same number. So is the number of changes of its queue, with a change
-- that is about nobody: whoever keeps a line in memory reads it anew after the gap.
WITH lagging AS (
    SELECT event_id
    FROM inventory
    WHERE event_id = %(event_id)s
        AND rev < %(restores)s::bigint * 1000000000
    FOR NO KEY UPDATE SKIP LOCKED
),
raised AS (
    UPDATE inventory
    SET rev = rev %% 1000000000 + 1 + %(restores)s::bigint * 1000000000
    FROM lagging
    WHERE inventory.event_id = %(event_id)s
    RETURNING inventory.event_id, rev, capacity
),
counted AS (
    UPDATE queues
    SET seq = seq %% 1000000000 + 2 + %(restores)s::bigint * 1000000000
    FROM lagging
    WHERE queues.event_id = %(event_id)s
    RETURNING queues.event_id, seq
),
told AS (
    INSERT INTO queue_changes (event_id, seq, waits, places)
    SELECT event_id, seq, true, '{}'
    FROM counted
)
INSERT INTO ledger (event_id, rev, kind, seats, capacity, at)
SELECT event_id, rev, 'RESIZED', 0, capacity, clock_timestamp()
FROM raised
