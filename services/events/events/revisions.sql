-- name: create_event
-- Stores a new event at revision 1; gives no row when its key is or was somebody's. Of two that
-- bring one key at once the second waits for the first.
INSERT INTO events (
    key, name, description, total_seats, status, starts_at, venue, time_zone, sales_open_at,
    sales_close_at, price_amount_minor, price_currency, one_booking_per_user, organizer_id
)
SELECT
    key, name, description, total_seats, status, starts_at, venue, time_zone, sales_open_at,
    sales_close_at, price_amount_minor, price_currency, one_booking_per_user, %(organizer_id)s
FROM jsonb_populate_record(NULL::events, %(fields)s)
ON CONFLICT ON CONSTRAINT events_key_unique DO NOTHING
RETURNING
    id, revision, key, name, description, total_seats, status, starts_at, venue, time_zone,
    sales_open_at, sales_close_at, price_amount_minor, price_currency, one_booking_per_user,
    organizer_id, created_at, updated_at, deleted_at,
    (SELECT epoch FROM head) AS epoch

-- name: change_event
-- Lays the changed columns over the event, under its next revision and no other.
UPDATE events
SET (
    name, description, total_seats, status, starts_at, venue, time_zone, sales_open_at,
    sales_close_at, price_amount_minor, price_currency, one_booking_per_user, deleted_at
) = (
    SELECT
        name, description, total_seats, status, starts_at, venue, time_zone, sales_open_at,
        sales_close_at, price_amount_minor, price_currency, one_booking_per_user, deleted_at
    FROM jsonb_populate_record(events, %(changes)s)
), revision = %(revision)s, updated_at = now()
WHERE id = %(event_id)s
    AND revision = %(revision)s - 1
RETURNING
    id, revision, key, name, description, total_seats, status, starts_at, venue, time_zone,
    sales_open_at, sales_close_at, price_amount_minor, price_currency, one_booking_per_user,
    organizer_id, created_at, updated_at, deleted_at,
    (SELECT epoch FROM head) AS epoch

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
