-- name: lease_letters
-- Leases letters that are due. SKIP LOCKED gives replicas different ones, and the later due time keeps
-- them apart after the commit.
WITH due AS (
    SELECT id
    FROM webhooks
    WHERE letter_id IS NOT NULL
        AND letter_due_at <= now()
    ORDER BY letter_due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE webhooks
SET letter_due_at = clock_timestamp() + interval '10 seconds'
FROM due
WHERE webhooks.id = due.id
RETURNING
    letter_id AS id,
    webhooks.id AS webhook_id,
    owner_id,
    url,
    disabled_reason AS reason

-- name: end_letters
-- Ends letters that accounts has, unless a webhook has another one by now.
UPDATE webhooks
SET
    letter_id = NULL,
    letter_due_at = NULL
FROM json_to_recordset(%(letters)s::json) AS over (id uuid, webhook_id uuid)
WHERE webhooks.id = over.webhook_id
    AND letter_id = over.id
