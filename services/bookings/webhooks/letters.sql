-- name: lease_letter
-- Leases a letter that is due. SKIP LOCKED gives replicas different ones, and the later due time keeps
-- them apart after the commit.
WITH due AS (
    SELECT id
    FROM webhooks
    WHERE letter_id IS NOT NULL
        AND letter_due_at <= clock_timestamp()
    ORDER BY letter_due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE webhooks
SET letter_due_at = clock_timestamp() + %(retry_seconds)s * interval '1 second'
FROM due
WHERE webhooks.id = due.id
RETURNING
    letter_id AS id,
    webhooks.id AS webhook_id,
    owner_id,
    url,
    disabled_reason AS reason

-- name: end_letter
-- Ends a letter that accounts has, unless its webhook has another one by now.
UPDATE webhooks
SET
    letter_id = NULL,
    letter_due_at = NULL
WHERE letter_id = %(id)s
