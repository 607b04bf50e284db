-- name: lock_event_of_booking
-- Waits for the row of the booking's event and keeps it; gives no row for an unknown booking.
SELECT inventory.event_id, bookings.id, inventory.rev
FROM bookings
JOIN inventory USING (event_id)
WHERE bookings.id = %(booking_id)s
FOR NO KEY UPDATE OF inventory

-- name: lock_event_of_reference
-- Does the same by the reference; gives no row either for a booking that the viewer may not see.
SELECT inventory.event_id, bookings.id, inventory.rev
FROM bookings
JOIN inventory USING (event_id)
WHERE bookings.reference = %(reference)s
    AND is_visible(
        bookings.user_id, inventory.organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )
FOR NO KEY UPDATE OF inventory

-- name: cancel_booking
-- Cancels a live booking and frees its seats; gives no row for one that is over. A statement of its
-- own, after the lock.
WITH cancelled AS (
    UPDATE bookings
    SET status = 'CANCELLED', cancelled_at = clock_timestamp()
    FROM inventory
    WHERE bookings.event_id = %(event_id)s
        AND bookings.id = %(booking_id)s
        AND bookings.status IN ('HELD', 'CONFIRMED')
        AND inventory.event_id = bookings.event_id
        AND inventory.closed_at IS NULL
    RETURNING
        bookings.event_id,
        bookings.id,
        bookings.user_id,
        bookings.seat_count,
        bookings.cancelled_at,
        bookings.expires_at IS NOT NULL AS was_held
),
freed AS (
    UPDATE inventory
    SET
        sold = sold - CASE WHEN was_held THEN 0 ELSE seat_count END,
        held = held - CASE WHEN was_held THEN seat_count ELSE 0 END,
        live_bookings = live_bookings - 1,
        rev = rev + 1
    FROM cancelled
    WHERE inventory.event_id = cancelled.event_id
    RETURNING inventory.rev
)
INSERT INTO ledger (event_id, rev, kind, booking_id, user_id, seats, at)
SELECT event_id, rev, 'CANCELLED', id, user_id, -seat_count, cancelled_at
FROM cancelled, freed
RETURNING rev
