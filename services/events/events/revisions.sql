-- name: create_event
-- Stores a new event at revision 1; gives no row when its key is or was somebody's. Of two that
-- bring one key at once the second waits for the first.
INSERT INTO events ({settable})
SELECT {settable}
FROM jsonb_populate_record(NULL::events, %(fields)s)
ON CONFLICT ON CONSTRAINT events_key_unique DO NOTHING
RETURNING {columns}

-- name: change_event
-- Lays the changed columns over the event, under its next revision and no other.
UPDATE events
SET
    ({settable}) = (SELECT {settable} FROM jsonb_populate_record(events, %(changes)s)),
    revision = %(revision)s,
    updated_at = now()
WHERE id = %(event_id)s
    AND revision = %(revision)s - 1
RETURNING {columns}

-- name: burn_revision
-- Takes the next revision for what was refused, and one more under which the event stands as it was.
-- Bookings has decided the former and would take nothing under it any more: not even a growth that it
-- had missed before.
UPDATE events
SET revision = %(revision)s + 1
WHERE id = %(event_id)s
    AND revision = %(revision)s - 1

-- name: publish
-- Gives a change the next number of the feed. The head's row stays locked until commit, so numbers
-- follow each other in the order of commits and without gaps.
WITH next AS (
    UPDATE head
    SET sequence = sequence + 1
    RETURNING sequence
)
INSERT INTO outbox (sequence, event_id)
SELECT sequence, %(event_id)s
FROM next
