-- name: find_bookings
-- Finds bookings by reference, with the users who may see them.
SELECT
    bookings.reference,
    bookings.event_id,
    bookings.id,
    bookings.user_id,
    inventory.organizer_id,
    bookings.seat_ids IS NOT NULL AS has_assigned_seats
FROM bookings
JOIN inventory USING (event_id)
WHERE bookings.reference = ANY (%(references)s::uuid[])

-- name: find_visible
-- Finds a booking by its number or its reference; nothing if the viewer may not see it.
SELECT event_id, id
FROM shown_bookings
WHERE (id = %(booking_id)s::bigint OR reference = %(reference)s::uuid)
    AND is_visible(
        user_id, event_organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )
