-- name: get_ticket
-- Reads a ticket; nothing if the viewer may not see it.
SELECT *
FROM shown_tickets
WHERE ticket_id = %(ticket_id)s
    AND is_visible(
        user_id, event_organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )

-- name: find_ticket
-- Reads a ticket, whoever may see it.
SELECT *
FROM shown_tickets
WHERE ticket_id = %(ticket_id)s

-- name: list_user_tickets
-- Lists a user's tickets of bookings below a number, newest first.
SELECT *
FROM shown_tickets
WHERE user_id = %(user_id)s
    AND booking_id < %(before)s
ORDER BY booking_id DESC
LIMIT %(limit)s
