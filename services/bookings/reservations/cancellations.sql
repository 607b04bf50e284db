-- name: find_event
-- Reads the event of a booking.
SELECT event_id
FROM bookings
WHERE id = %(booking_id)s
