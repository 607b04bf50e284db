-- name: get_oldest_attempt
-- Reads the age in seconds and the provider of the oldest attempt that is under way.
SELECT extract(epoch FROM present() - created_at)::float AS seconds, provider
FROM payments
WHERE status = 'CREATED'
ORDER BY created_at
LIMIT 1

-- name: get_oldest_refund
-- Reads the age in seconds and the provider of the oldest refund that is due, and how many are.
WITH oldest AS (
    SELECT event_id, payment_id, created_at, count(*) OVER () AS due
    FROM refunds
    WHERE status = 'DUE'
    ORDER BY created_at
    LIMIT 1
)
SELECT extract(epoch FROM present() - oldest.created_at)::float AS seconds, provider, due
FROM oldest
JOIN payments ON payments.event_id = oldest.event_id
    AND payments.id = payment_id
