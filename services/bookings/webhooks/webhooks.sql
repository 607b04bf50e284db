-- name: create
-- Creates a webhook that begins at the end of the feed, unless its owner has as many as one may have.
-- Two at once may exceed that by one, which does no harm.
INSERT INTO webhooks (owner_id, url, types, status, secret, position, rev)
SELECT
    %(owner_id)s,
    %(url)s,
    %(types)s,
    %(status)s,
    %(secret)s,
    feed.position,
    %(rev)s
FROM feed
WHERE (SELECT count(*) FROM webhooks WHERE owner_id = %(owner_id)s) < %(most)s
RETURNING {columns}

-- name: list
-- Lists the webhooks of an owner, oldest first.
SELECT {columns}
FROM webhooks
WHERE owner_id = %(owner_id)s
ORDER BY created_at, id

-- name: get
-- Reads a webhook of an owner.
SELECT {columns}
FROM webhooks
WHERE id = %(id)s
    AND owner_id = %(owner_id)s

-- name: update
-- Changes a webhook, which is due at once if it is enabled. Ends the lease of a worker that delivers.
-- An owner who sets the status needs no letter about the former one.
UPDATE webhooks
SET
    url = coalesce(%(url)s, url),
    types = coalesce(%(types)s::text[], types),
    status = coalesce(%(status)s, status),
    disabled_reason = CASE WHEN %(status)s::text IS NULL THEN disabled_reason ELSE '' END,
    letter_id = CASE WHEN %(status)s::text IS NULL THEN letter_id END,
    letter_due_at = CASE WHEN %(status)s::text IS NULL THEN letter_due_at END,
    attempts = 0,
    failing_since = NULL,
    due_at = clock_timestamp(),
    lease = NULL
WHERE id = %(id)s
    AND owner_id = %(owner_id)s
RETURNING {columns}

-- name: delete
-- Deletes a webhook and its log.
DELETE FROM webhooks
WHERE id = %(id)s
    AND owner_id = %(owner_id)s

-- name: rotate_secret
-- Replaces the secret of a webhook. Requests are signed with the former one, too, for a while.
UPDATE webhooks
SET
    secret = %(secret)s,
    former_secret = secret,
    former_secret_until = clock_timestamp() + %(overlap)s::interval
WHERE id = %(id)s
    AND owner_id = %(owner_id)s
RETURNING {columns}

-- name: replay
-- Sets the cursor of a webhook, and ends the lease of a worker that delivers from another one.
UPDATE webhooks
SET
    position = %(position)s,
    rev = %(rev)s,
    attempts = 0,
    failing_since = NULL,
    due_at = clock_timestamp(),
    lease = NULL
WHERE id = %(id)s
    AND owner_id = %(owner_id)s
RETURNING {columns}

-- name: list_deliveries
-- Lists the last attempts of a webhook, newest first.
SELECT
    change_id,
    change_type,
    at,
    status,
    error,
    latency_ms
FROM deliveries
WHERE webhook_id = %(id)s
ORDER BY id DESC
