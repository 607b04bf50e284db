-- name: lease
-- Leases a refund that is due. The later next_try_at keeps other workers away after the commit, and is
-- the pause until the next attempt, which doubles each time.
WITH due AS (
    SELECT event_id, id
    FROM refunds
    WHERE status = 'DUE'
        AND next_try_at <= clock_timestamp()
    ORDER BY next_try_at
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
),
leased AS (
    UPDATE refunds
    SET
        attempts = attempts + 1,
        next_try_at = clock_timestamp() + least(
            %(first_pause)s * power(2, least(attempts, 20)), %(longest_pause)s
        ) * interval '1 second'
    FROM due
    WHERE refunds.event_id = due.event_id
        AND refunds.id = due.id
    RETURNING refunds.event_id, booking_id, payment_id, refunds.id, amount_minor, currency
)
SELECT
    leased.event_id,
    leased.booking_id,
    payment_id,
    leased.id,
    leased.amount_minor,
    leased.currency,
    provider,
    provider_reference AS payment_reference
FROM leased
JOIN payments ON payments.event_id = leased.event_id
    AND payments.id = payment_id

-- name: get_backlog
-- Counts the refunds that are due, and reads the age of the oldest in seconds.
SELECT
    count(*),
    coalesce(extract(epoch FROM present() - min(created_at)), 0)::float AS seconds
FROM refunds
WHERE status = 'DUE'
