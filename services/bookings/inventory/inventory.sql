-- name: count_seats
-- Counts the seats of events in one snapshot, and reads the fields that decide who can see them. An
-- event that bookings does not know has no row. The seats of an ended hold count as free, unless users
-- are waiting: then those get them.
SELECT
    event_id,
    capacity - blocked AS capacity,
    sold + held - CASE
        WHEN waiting = 0 AND next_expiry_at <= present() THEN (
            SELECT coalesce(sum(seat_count), 0)::integer
            FROM ending_holds
            WHERE ending_holds.event_id = inventory.event_id
                AND expires_at <= (SELECT present())
        )
        ELSE 0
    END AS booked,
    waiting,
    rev,
    status = 'DRAFT' AS is_draft,
    deleted AS is_deleted,
    organizer_id
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])

-- name: due_events
-- Lists events with an ended hold, or with both free seats and waiting users.
SELECT event_id
FROM (
    SELECT event_id
    FROM inventory
    WHERE next_expiry_at <= present()
    UNION
    SELECT event_id
    FROM inventory
    WHERE waiting > 0
        AND sold + held + blocked < capacity
) AS due
WHERE event_id > %(after)s
ORDER BY event_id
LIMIT %(limit)s

-- name: events_to_refund
-- Lists closed events whose refunds are not all written.
SELECT event_id
FROM inventory
WHERE closed_at IS NOT NULL
    AND NOT refunds_written
ORDER BY event_id
LIMIT %(limit)s
