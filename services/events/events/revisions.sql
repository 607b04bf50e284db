-- name: create_event
-- Stores a new event at revision 1; returns no row when its key is or was taken. Of two requests with
-- one key the second waits for the first.
INSERT INTO events ({settable})
SELECT {settable}
FROM jsonb_populate_record(NULL::events, %(fields)s)
ON CONFLICT ON CONSTRAINT events_key_unique DO NOTHING
RETURNING {columns}

-- name: change_event
-- Writes the changed columns under the next revision, and under no other.
UPDATE events
SET
    ({settable}) = (SELECT {settable} FROM jsonb_populate_record(events, %(changes)s)),
    revision = %(revision)s,
    updated_at = now()
WHERE id = %(event_id)s
    AND revision = %(revision)s - 1
RETURNING {columns}

-- name: burn_revision
-- Uses up the revision of a refused change, and takes one more for the event as it was. Bookings has
-- decided the former and applies nothing else under it, not even an earlier growth that it missed.
UPDATE events
SET revision = %(revision)s + 1
WHERE id = %(event_id)s
    AND revision = %(revision)s - 1
RETURNING {columns}

-- name: publish
-- Appends a change to the feed. The head's row stays locked until commit, so numbers follow the order
-- of commits and have no gaps.
WITH next AS (
    UPDATE head
    SET sequence = sequence + 1
    RETURNING sequence
)
INSERT INTO outbox (sequence, event_id)
SELECT sequence, %(event_id)s
FROM next
