-- name: find_event
-- Reads the event of a booking.
SELECT event_id
FROM bookings
WHERE id = %(booking_id)s

-- name: find_references
-- Finds bookings by reference, with the users who may see them.
SELECT
    bookings.reference,
    bookings.event_id,
    bookings.id,
    bookings.user_id,
    inventory.organizer_id
FROM bookings
JOIN inventory USING (event_id)
WHERE bookings.reference = ANY (%(references)s::uuid[])
