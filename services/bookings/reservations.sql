-- name: reserve
-- Decides a batch of reservations and stores what follows, all in one transaction of its own; the
-- locks are taken and explained in migrations/functions/reserve.sql.
SELECT
    item,
    outcome,
    booking_id,
    decided_at,
    rev,
    replayed,
    seats_left
FROM reserve(
    %(event_ids)s::bigint[],
    %(user_ids)b::text[],
    %(seat_counts)b::integer[],
    %(callers)s::text[],
    %(keys)s::text[],
    %(fingerprints)s::bytea[],
    %(uuids)b::uuid[],
    %(way)s,
    %(exclusive_way)s,
    %(skips_locked)s
)

-- name: book_tickets
-- Decides a batch of tickets and stores what follows, all in one transaction of its own; the
-- locks are taken and explained in migrations/functions/book_tickets.sql.
SELECT
    item,
    outcome,
    booking_id,
    decided_at,
    rev,
    replayed,
    queue_position AS position,
    booked_seats AS seat_count,
    seats_left
FROM book_tickets(
    %(event_ids)s::bigint[],
    %(user_ids)b::text[],
    %(seat_counts)b::integer[],
    %(callers)s::text[],
    %(keys)s::text[],
    %(fingerprints)s::bytea[],
    %(uuids)b::uuid[],
    %(way)s,
    %(exclusive_way)s,
    %(skips_locked)s
)

-- name: get_drafts
-- Reads whose drafts some events are.
SELECT event_id, organizer_id, rev
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])
    AND status = 'DRAFT'
    AND NOT deleted

-- name: forget_keys
-- Deletes a chunk of the answers whose 24 hours are over; a row at work elsewhere is left alone.
DELETE FROM idempotency
WHERE (caller, operation, key) IN (
    SELECT caller, operation, key
    FROM idempotency
    WHERE decided_at < clock_timestamp() - interval '24 hours'
    ORDER BY decided_at
    LIMIT %(chunk)s
    FOR UPDATE SKIP LOCKED
)
