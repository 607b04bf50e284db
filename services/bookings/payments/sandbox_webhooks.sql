-- name: lease
-- Leases the next webhooks that are due; the later due_at keeps other workers away after the commit.
WITH due AS (
    SELECT number
    FROM sandbox_webhooks
    WHERE due_at <= now()
    ORDER BY due_at, number
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
),
leased AS (
    UPDATE sandbox_webhooks
    SET due_at = clock_timestamp() + %(lease_seconds)s * interval '1 second'
    FROM due
    WHERE sandbox_webhooks.number = due.number
    RETURNING sandbox_webhooks.number, charge_id, status
)
SELECT
    number,
    'evt_' || replace(charge_id::text, '-', '') || '_' || lower(leased.status) AS id,
    charge_id,
    leased.status,
    amount_minor,
    currency
FROM leased
JOIN sandbox_charges ON sandbox_charges.id = charge_id
ORDER BY number

-- name: delete
-- Deletes webhooks that were received.
DELETE FROM sandbox_webhooks
WHERE number = ANY (%(numbers)s::bigint[])
