-- name: find_ticketed
-- Finds the booking of a ticket; nothing if the viewer may not see it.
SELECT event_id, booking_id
FROM tickets
JOIN inventory USING (event_id)
WHERE tickets.id = %(ticket_id)s
    AND is_visible(user_id, organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s)

-- name: get_payment
-- Reads a payment; nothing if the viewer may not see it.
SELECT *
FROM shown_payments
WHERE payment_id = %(payment_id)s
    AND is_visible(
        user_id, event_organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )

-- name: list_user_payments
-- Lists a user's payments below a number, newest first.
SELECT *
FROM shown_payments
WHERE user_id = %(user_id)s
    AND id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s
