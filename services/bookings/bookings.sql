-- name: get_booking
-- Reads one booking by its number.
SELECT *
FROM booking_details
WHERE id = %(id)s

-- name: list_bookings
-- Lists all bookings below a number, newest first.
SELECT *
FROM booking_details
WHERE id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s

-- name: list_user_bookings
-- Lists a user's bookings below a number, newest first.
SELECT *
FROM booking_details
WHERE user_id = %(user_id)s
    AND id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s

-- name: list_event_bookings
-- Lists an event's bookings below a number, newest first.
SELECT *
FROM booking_details
WHERE event_id = %(event_id)s
    AND id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s
