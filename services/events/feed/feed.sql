-- name: get_head
-- Reads the last number of the feed.
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
-- Lists all events after an id, deleted ones too.
SELECT {columns}
FROM events
WHERE events.id > %(after)s
ORDER BY events.id
LIMIT %(limit)s

-- name: begin_epoch_if_restored
-- Begins another epoch when this is not the database in which the epoch began: a dump was loaded, or
-- a cluster was recovered to a point in time. The very first start only stores the lineage.
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
-- Begins another epoch when a follower is past the head: the changes in between were lost. Of
-- several requests that find this, one begins it.
UPDATE head
SET epoch = gen_random_uuid()::text
WHERE epoch = %(epoch)s
    AND sequence < %(after)s
RETURNING epoch

-- name: skip_ids
-- Skips more ids than were given since any backup. Clients and bookings still know events, seat
-- plans and the like by the lost ids, which must not come to mean others.
SELECT setval(numbers, nextval(numbers) + 1000000)
FROM unnest(ARRAY['events', 'movies', 'theaters', 'rooms', 'seat_plans']) AS tables (name)
CROSS JOIN LATERAL pg_get_serial_sequence(tables.name, 'id') AS ids (numbers)

-- name: forget_changes
-- Deletes a chunk of changes that are too old to be followed: the first numbers, up to the first
-- change that is young. Replicas wait for each other. So the numbers that are left have no gap,
-- although `changed_at` may be out of order, as it is when a transaction began.
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
