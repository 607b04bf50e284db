-- name: find_tickets
-- Reads tickets, whoever may see them.
SELECT *
FROM shown_tickets
WHERE ticket_id = ANY (%(ticket_ids)s::uuid[])

-- name: list_user_tickets
-- Lists a user's tickets of bookings below a number, newest first.
SELECT *
FROM shown_tickets
WHERE user_id = %(user_id)s
    AND booking_id < %(before)s
ORDER BY booking_id DESC
LIMIT %(limit)s
