-- name: lease
-- Leases a webhook that is due and has changes to deliver. The later due_at keeps other workers away
-- after the commit, and lets one of them go on if this one dies.
WITH due AS (
    SELECT id
    FROM webhooks
    WHERE status = 'ENABLED'
        AND due_at <= now()
        AND EXISTS (
            SELECT
            FROM feed_spans
            WHERE organizer_id = owner_id
                AND feed_spans.position >= webhooks.position
                AND (feed_spans.position > webhooks.position OR last_rev > webhooks.rev)
        )
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE webhooks
SET
    lease = gen_random_uuid(),
    due_at = clock_timestamp() + %(lease_seconds)s * interval '1 second'
FROM due
WHERE webhooks.id = due.id
RETURNING
    webhooks.id,
    lease,
    owner_id,
    url,
    types,
    secret,
    CASE WHEN former_secret_until > clock_timestamp() THEN former_secret END AS former_secret,
    position,
    rev,
    attempts

-- name: record
-- Records an attempt, and what follows from it: the cursor after a change that was delivered, or when
-- to try again. Disables a receiver that is gone, and one that fails when it has done so for as long
-- as `patience`, at whose end is the last attempt; then a letter is due. Does nothing if the lease has
-- ended. Keeps the last attempts of the webhook.
WITH leased AS (
    SELECT
        id,
        CASE
            WHEN %(is_accepted)s THEN ''
            WHEN %(is_gone)s THEN 'GONE'
            WHEN failing_since <= clock_timestamp() - %(patience)s::interval THEN 'FAILING'
            ELSE ''
        END AS reason
    FROM webhooks
    WHERE id = %(id)s
        AND lease = %(lease)s
    FOR UPDATE
),
changed AS (
    UPDATE webhooks
    SET
        position = %(position)s,
        rev = %(rev)s,
        attempts = %(attempts)s,
        failing_since = CASE
            WHEN NOT %(is_accepted)s THEN coalesce(failing_since, clock_timestamp())
        END,
        due_at = least(
            clock_timestamp() + %(seconds)s * interval '1 second',
            CASE WHEN NOT %(is_accepted)s THEN failing_since + %(patience)s::interval END
        ),
        status = CASE WHEN reason = '' THEN status ELSE 'DISABLED' END,
        disabled_reason = reason,
        letter_id = CASE WHEN reason <> '' THEN gen_random_uuid() END,
        letter_due_at = CASE WHEN reason <> '' THEN clock_timestamp() END
    FROM leased
    WHERE webhooks.id = leased.id
    RETURNING webhooks.id
),
recorded AS (
    INSERT INTO deliveries (webhook_id, change_id, change_type, status, error, latency_ms)
    SELECT id, %(change_id)s, %(change_type)s, %(response_status)s, %(error)s, %(latency_ms)s
    FROM changed
),
old AS (
    DELETE FROM deliveries
    WHERE webhook_id IN (SELECT id FROM changed)
        AND id <= (
            SELECT last.id
            FROM deliveries AS last
            WHERE last.webhook_id = %(id)s
            ORDER BY last.id DESC
            OFFSET %(kept)s - 1
            LIMIT 1
        )
)
SELECT id
FROM changed

-- name: release
-- Ends a lease with the cursor after all that was looked at, wanted or not.
UPDATE webhooks
SET
    position = %(position)s,
    rev = %(rev)s,
    due_at = clock_timestamp(),
    lease = NULL
WHERE id = %(id)s
    AND lease = %(lease)s

-- name: get_lag
-- Reads how many enabled webhooks are failing, and of all others the age in seconds of the oldest
-- change that one has not got yet.
SELECT
    count(*) FILTER (WHERE failing_since IS NOT NULL) AS failing,
    coalesce(
        extract(epoch FROM clock_timestamp() - min(next.at) FILTER (WHERE failing_since IS NULL)),
        0
    )::float AS seconds
FROM webhooks
LEFT JOIN LATERAL (
    SELECT at
    FROM feed_spans
    WHERE organizer_id = owner_id
        AND feed_spans.position >= webhooks.position
        AND (feed_spans.position > webhooks.position OR last_rev > webhooks.rev)
    ORDER BY feed_spans.position
    LIMIT 1
) AS next ON true
WHERE status = 'ENABLED'
