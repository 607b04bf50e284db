-- name: begin_session
-- Begins a log-in, if the account is as it was when the password or code was checked. The share lock
-- waits for whoever changes the account, and makes them see this log-in.
INSERT INTO sessions (id, account_id, current_sha256, expires_at)
SELECT %(id)s, accounts.id, %(sha256)s, now() + %(lifetime)s
FROM accounts
WHERE accounts.id = %(account_id)s
    AND generation = %(generation)s
    AND deleted_at IS NULL
    AND banned_at IS NULL
FOR SHARE

-- name: end_oldest_sessions
-- Ends the log-ins of an account that are too many. Those that somebody is at are left alone.
DELETE FROM sessions
WHERE id IN (
    SELECT id
    FROM sessions
    WHERE account_id = %(account_id)s
    ORDER BY created_at DESC, id
    OFFSET %(most)s
    FOR UPDATE SKIP LOCKED
)

-- name: lock_session
-- Keeps a log-in as it is, so that of several who refresh at once one rotates and the others find
-- what it did.
SELECT
    account_id,
    current_sha256,
    previous_sha256,
    nonce,
    clock_timestamp() < rotated_at + interval '10 seconds' AS is_fresh
FROM sessions
WHERE id = %(id)s
    AND expires_at > clock_timestamp()
FOR UPDATE

-- name: rotate_session
-- Makes the next token the one that is good.
UPDATE sessions
SET
    current_sha256 = %(current_sha256)s,
    previous_sha256 = %(previous_sha256)s,
    nonce = %(nonce)s,
    rotated_at = clock_timestamp()
WHERE id = %(id)s

-- name: delete_session
-- Ends a log-in.
DELETE FROM sessions
WHERE id = %(id)s

-- name: end_session
-- Ends the log-in of a token, if it is the current one or the last before it.
DELETE FROM sessions
WHERE id = %(id)s
    AND %(sha256)s IN (current_sha256, previous_sha256)

-- name: forget_sessions
-- Deletes log-ins whose time is over.
DELETE FROM sessions
WHERE id IN (
    SELECT id
    FROM sessions
    WHERE expires_at < clock_timestamp()
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
