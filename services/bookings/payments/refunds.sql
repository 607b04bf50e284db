-- name: lease
-- Leases a refund that is due at a provider. The later next_try_at keeps other workers away after the
-- commit, and is the pause until the next attempt, which doubles each time.
WITH due AS (
    SELECT refunds.event_id, refunds.id, paid.reference
    FROM refunds
    CROSS JOIN LATERAL (
        SELECT provider, provider_reference AS reference
        FROM payments
        WHERE payments.event_id = refunds.event_id
            AND payments.id = refunds.payment_id
        OFFSET 0
    ) AS paid
    WHERE status = 'DUE'
        AND next_try_at <= clock_timestamp()
        AND paid.provider = %(provider)s
    ORDER BY next_try_at
    LIMIT 1
    FOR NO KEY UPDATE OF refunds SKIP LOCKED
)
UPDATE refunds
SET
    attempts = attempts + 1,
    next_try_at = clock_timestamp() + least(
        %(first_pause)s * power(2, least(attempts, 20)), %(longest_pause)s
    ) * interval '1 second'
FROM due
WHERE refunds.event_id = due.event_id
    AND refunds.id = due.id
RETURNING
    refunds.event_id,
    booking_id,
    payment_id,
    refunds.id,
    amount_minor,
    currency,
    reference AS payment_reference
