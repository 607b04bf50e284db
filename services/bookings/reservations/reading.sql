-- name: get_booking
-- Reads one booking by its number; nothing if the viewer may not see it.
SELECT *
FROM shown_bookings
WHERE id = %(id)s
    AND is_visible(
        user_id, event_organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )

-- name: get_booking_by_reference
-- Reads one booking by its reference; nothing if the viewer may not see it.
SELECT *
FROM shown_bookings
WHERE reference = %(reference)s
    AND is_visible(
        user_id, event_organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )

-- name: list_bookings
-- Lists the bookings below a number that the viewer may see, newest first.
SELECT *
FROM shown_bookings
WHERE id < %(before)s
    AND is_visible(
        user_id, event_organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )
ORDER BY id DESC
LIMIT %(limit)s

-- name: list_user_bookings
-- Lists a user's bookings below a number, newest first.
SELECT *
FROM shown_bookings
WHERE user_id = %(user_id)s
    AND id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s

-- name: list_event_bookings
-- Lists an event's bookings below a number that the viewer may see, newest first.
SELECT *
FROM shown_bookings
WHERE event_id = %(event_id)s
    AND id < %(before)s
    AND is_visible(
        user_id, event_organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )
ORDER BY id DESC
LIMIT %(limit)s

-- name: list_own_bookings
-- Lists a page of a user's bookings by its offset, newest first.
SELECT *
FROM shown_bookings
WHERE user_id = %(user_id)s
    AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY id DESC
OFFSET %(offset)s
LIMIT %(limit)s

-- name: count_own_bookings
-- Counts the bookings that list_own_bookings gives on all pages.
SELECT count(*)
FROM shown_bookings
WHERE user_id = %(user_id)s
    AND (%(status)s::text IS NULL OR status = %(status)s)
