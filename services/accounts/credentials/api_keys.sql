-- name: lock_owner
-- Finds the role of an account whose tokens have this generation, and locks the row. A concurrent
-- ban, change of role or of password is either seen here, or waits and then sees the key.
SELECT role
FROM accounts
WHERE id = %(account_id)s
    AND generation = %(generation)s
    AND banned_at IS NULL
    AND deleted_at IS NULL
FOR SHARE

-- name: add_api_key
-- Adds a key.
INSERT INTO api_keys (id, account_id, name, scopes, secret_sha256, expires_at)
VALUES (
    %(id)s, %(account_id)s, %(name)s, %(scopes)s, %(secret_sha256)s, %(expires_at)s
)
RETURNING number, id, name, scopes, created_at, expires_at, last_used_at

-- name: list_api_keys
-- Lists an account's keys, newest first.
SELECT number, id, name, scopes, created_at, expires_at, last_used_at
FROM api_keys
WHERE account_id = %(account_id)s
    AND number < %(before)s
ORDER BY number DESC
LIMIT %(limit)s

-- name: delete_api_key
-- Deletes a key, if it is the account's.
DELETE FROM api_keys
WHERE account_id = %(account_id)s
    AND id = %(id)s

-- name: resolve_api_key
-- Finds the account of a key, and notes that the key was used: at most once a minute, and not while
-- another transaction notes it. Only the key of an admin keeps the scope to act for any user.
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
