-- name: lock_event
-- Waits for the event's row and locks it: changes of an event are decided one after another.
SELECT {columns}
FROM events
WHERE id = %(event_id)s
    AND deleted_at IS NULL
FOR NO KEY UPDATE

-- name: get_intent
-- Reads whether the event has an open intent. Run after lock_event: its snapshot must be younger.
SELECT 1
FROM intents
WHERE event_id = %(event_id)s

-- name: get_intent_of_key
-- Reads the fingerprint of the request whose open intent has an idempotency key. Run it with the key
-- claimed: the finisher of the intent needs the key too, so the intent stays open meanwhile.
SELECT fingerprint
FROM intents
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND key = %(key)s

-- name: create_intent
-- Writes a change down before bookings decides it; the primary key admits one for each event.
INSERT INTO intents (event_id, revision, changes, caller, operation, key, fingerprint)
VALUES (
    %(event_id)s, %(revision)s, %(changes)s, %(caller)s, %(operation)s, %(key)s, %(fingerprint)s
)

-- name: get_targets
-- Reads events as they will be once bookings agrees to their open intents.
SELECT {columns}
FROM (
    SELECT target.*
    FROM intents
    JOIN events ON events.id = intents.event_id
    CROSS JOIN LATERAL jsonb_populate_record(
        events, intents.changes || jsonb_build_object('revision', intents.revision)
    ) AS target
    WHERE intents.event_id = ANY (%(event_ids)s)
) AS targets

-- name: take_intent
-- Ends an intent. Of several finishers one gets the row and writes the revision in the same
-- transaction; the others get no row.
DELETE FROM intents
WHERE event_id = %(event_id)s
    AND revision = %(revision)s
RETURNING changes, caller, operation, key, fingerprint

-- name: lease_intents
-- Leases intents without a recent attempt to finish them, for as long as an attempt may take.
UPDATE intents
SET attempted_at = clock_timestamp()
WHERE event_id IN (
    SELECT event_id
    FROM intents
    WHERE attempted_at < clock_timestamp() - interval '2 seconds'
    ORDER BY attempted_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING event_id

-- name: count_intents
-- Counts the changes that wait for bookings to decide.
SELECT count(*)
FROM intents
