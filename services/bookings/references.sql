-- name: find_bookings
-- Finds bookings by reference or number, with the users who may see them.
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
    OR bookings.id = ANY (%(booking_ids)s::bigint[])
