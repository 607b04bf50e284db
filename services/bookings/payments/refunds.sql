-- name: find
-- Lists the events of the first refunds that are due at a provider.
SELECT refunds.event_id
FROM refunds
CROSS JOIN LATERAL (
    SELECT provider
    FROM payments
    WHERE payments.event_id = refunds.event_id
        AND payments.id = refunds.payment_id
    OFFSET 0
) AS paid
WHERE status = 'DUE'
    AND next_try_at <= now()
    AND paid.provider = %(provider)s
ORDER BY next_try_at
LIMIT %(limit)s

-- name: lease
-- Leases refunds of an event that are due at a provider. The later next_try_at keeps other workers away
-- after the commit, and is the pause until the next attempt, which doubles each time.
WITH due AS (
    SELECT
        refunds.id,
        paid.reference,
        now() + least(
            %(first_pause)s * power(2, least(attempts, 20)), %(longest_pause)s
        ) * interval '1 second' AS try_again_at
    FROM refunds
    CROSS JOIN LATERAL (
        SELECT provider, provider_reference AS reference
        FROM payments
        WHERE event_id = %(event_id)s
            AND payments.id = refunds.payment_id
        OFFSET 0
    ) AS paid
    WHERE event_id = %(event_id)s
        AND status = 'DUE'
        AND next_try_at <= now()
        AND paid.provider = %(provider)s
    ORDER BY next_try_at
    LIMIT %(limit)s
    FOR NO KEY UPDATE OF refunds SKIP LOCKED
)
UPDATE refunds
SET
    attempts = attempts + 1,
    next_try_at = try_again_at
FROM due
WHERE event_id = %(event_id)s
    AND refunds.id = due.id
RETURNING
    event_id,
    booking_id,
    payment_id,
    refunds.id,
    amount_minor,
    currency,
    reference AS payment_reference
