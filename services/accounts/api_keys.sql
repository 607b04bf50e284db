-- name: resolve_api_key
-- Finds whom a key acts for, and notes that it was used. That is written once a minute, and left
-- out while somebody else is writing it. Whoever is no admin any more acts for nobody else.
WITH found AS (
    SELECT api_keys.id, account_id, role, scopes, last_used_at
    FROM api_keys
    JOIN accounts ON accounts.id = account_id
    WHERE api_keys.id = %(id)s
        AND secret_sha256 = %(secret_sha256)s
        AND (expires_at IS NULL OR expires_at > now())
        AND banned_at IS NULL
        AND deleted_at IS NULL
),
stale AS (
    SELECT api_keys.id
    FROM api_keys
    JOIN found USING (id)
    WHERE found.last_used_at IS NULL OR found.last_used_at < now() - interval '1 minute'
    FOR NO KEY UPDATE OF api_keys SKIP LOCKED
),
noted AS (
    UPDATE api_keys
    SET last_used_at = now()
    FROM stale
    WHERE api_keys.id = stale.id
)
SELECT
    account_id,
    role,
    CASE WHEN role = 'ADMIN' THEN scopes ELSE array_remove(scopes, 'BOOKINGS_ANY_USER') END
        AS scopes
FROM found
