-- name: find_event
-- Reads which event a booking is of.
SELECT event_id
FROM bookings
WHERE id = %(booking_id)s

-- name: find_references
-- Reads where the bookings of references are, and what tells who may see them.
SELECT
    bookings.reference,
    bookings.event_id,
    bookings.id,
    bookings.user_id,
    inventory.organizer_id
FROM bookings
JOIN inventory USING (event_id)
WHERE bookings.reference = ANY (%(references)s::uuid[])
