-- name: get_head
-- Tells the last number of the feed.
SELECT
    epoch,
    sequence
FROM head

-- name: list_changes
-- Lists changes after a number, each with the event as it is now.
SELECT
    outbox.sequence,
    outbox.changed_at,
    {columns}
FROM outbox
JOIN events ON events.id = outbox.event_id
WHERE outbox.sequence > %(after)s
ORDER BY outbox.sequence
LIMIT %(limit)s

-- name: list_states
-- Lists all events after a number, deleted ones too.
SELECT {columns}
FROM events
WHERE events.id > %(after)s
ORDER BY events.id
LIMIT %(limit)s

-- name: begin_epoch_if_restored
-- Begins another epoch when this is not the database that the epoch began in: a dump that was
-- loaded here or elsewhere, or a cluster that was recovered to a point in time. The first start of
-- all only notes where it is.
UPDATE head
SET
    epoch = CASE WHEN head.lineage = '' THEN epoch ELSE gen_random_uuid()::text END,
    lineage = found.lineage
FROM (
    SELECT
        concat_ws(
            '/', system_identifier, timeline_id, pg_database.oid, 'head'::regclass::oid
        ) AS lineage,
        before.lineage <> '' AS was_restored
    FROM pg_control_system(), pg_control_checkpoint(), pg_database, head AS before
    WHERE pg_database.datname = current_database()
) AS found
WHERE head.lineage <> found.lineage
RETURNING epoch, was_restored

-- name: begin_epoch_if_behind
-- Begins another epoch when somebody has followed further than the feed reaches: what came after
-- was lost. Of several who notice, one begins it.
UPDATE head
SET epoch = gen_random_uuid()::text
WHERE epoch = %(epoch)s
    AND sequence < %(after)s
RETURNING epoch

-- name: skip_event_ids
-- Leaves out more numbers than were given to events since any backup: clients hold some of them,
-- and so does bookings, with what was booked; they must not come to mean other events.
SELECT setval(numbers, nextval(numbers) + 1000000)
FROM pg_get_serial_sequence('events', 'id') AS numbers

-- name: forget_changes
-- Deletes a chunk of changes that are too old to be followed. Always the first there are, and
-- replicas wait for each other, so that what is kept has no gap: a change may have a later number
-- than one that began after it.
DELETE FROM outbox
WHERE sequence IN (
    SELECT sequence
    FROM outbox
    WHERE sequence < coalesce(
        (
            SELECT min(young.sequence)
            FROM outbox AS young
            WHERE young.changed_at >= now() - %(keep)s::interval
        ),
        (SELECT head.sequence + 1 FROM head)
    )
    ORDER BY sequence
    LIMIT %(chunk)s
    FOR UPDATE
)
