-- name: find_payments
-- Reads payments, whoever may see them.
SELECT *
FROM shown_payments
WHERE payment_id = ANY (%(payment_ids)s::uuid[])

-- name: list_user_payments
-- Lists a user's payments below a number, newest first.
SELECT *
FROM shown_payments
WHERE user_id = %(user_id)s
    AND id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s
