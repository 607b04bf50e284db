-- name: events
-- Events that are not deleted.
SELECT
    id::text COLLATE "C" AS key,
    format('event %s, %s', id, name) AS text
FROM events.events
WHERE deleted_at IS NULL
ORDER BY 1

-- name: bookings
-- Bookings that have seats, by what is never used again.
SELECT
    reference::text COLLATE "C" AS key,
    format(
        'booking %s (%s) of event %s: %s seats of %s, %s',
        id, reference, event_id, seat_count, user_id, lower(bookings.status)
    ) AS text
FROM bookings.bookings
JOIN bookings.inventory USING (event_id)
WHERE bookings.status IN ('HELD', 'CONFIRMED')
    AND inventory.closed_at IS NULL
ORDER BY 1

-- name: payments
-- Money that was received, and how much of it was paid back.
SELECT
    format('%s %s', id, refunded_minor) COLLATE "C" AS key,
    format(
        'payment %s at %s (%s): %s %s received, %s paid back',
        id, provider, coalesce(provider_reference, 'no reference'), received_minor, received_currency,
        refunded_minor
    ) AS text
FROM bookings.payments
WHERE received_minor > 0
ORDER BY 1

-- name: accounts
-- Accounts that are not deleted.
SELECT
    id::text COLLATE "C" AS key,
    format('account %s, %s', id, email) AS text
FROM accounts.accounts
WHERE deleted_at IS NULL
ORDER BY 1
