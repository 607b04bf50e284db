-- name: lock_event_of_booking
-- Waits for the row of the booking's event and keeps it; gives no row for an unknown booking.
SELECT inventory.event_id, bookings.id
FROM bookings
JOIN inventory USING (event_id)
WHERE bookings.id = %(booking_id)s
FOR NO KEY UPDATE OF inventory

-- name: lock_event_of_reference
-- Does the same by the reference; gives no row either for a booking that the viewer may not see.
SELECT inventory.event_id, bookings.id
FROM bookings
JOIN inventory USING (event_id)
WHERE bookings.reference = %(reference)s
    AND is_visible(
        bookings.user_id, inventory.organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )
FOR NO KEY UPDATE OF inventory

-- name: cancel_booking
-- Cancels a live booking, frees its seats and serves those who wait; gives no row for one that is over.
-- A statement of its own, after the lock.
SELECT rev, promoted
FROM cancel_booking(%(event_id)s, %(booking_id)s)

-- name: get_rev
-- Reads the revision at which an event is whose lock is ours.
SELECT rev
FROM inventory
WHERE event_id = %(event_id)s
