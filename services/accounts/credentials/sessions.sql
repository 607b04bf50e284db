-- name: begin_session
-- Begins a session, if the account did not change since the password or code was checked. FOR SHARE
-- waits for a transaction that changes the account; a later one waits and then sees this session.
INSERT INTO sessions (id, account_id, current_sha256, expires_at)
SELECT %(id)s, accounts.id, %(sha256)s, now() + %(lifetime)s
FROM accounts
WHERE accounts.id = %(account_id)s
    AND generation = %(generation)s
    AND deleted_at IS NULL
    AND banned_at IS NULL
FOR SHARE

-- name: end_oldest_sessions
-- Ends the oldest sessions of an account that has too many. Skips those that are locked.
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
-- Locks a session, so that of several concurrent refreshes one rotates the token and the others see
-- the result.
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
-- Makes the next token the valid one.
UPDATE sessions
SET
    current_sha256 = %(current_sha256)s,
    previous_sha256 = %(previous_sha256)s,
    nonce = %(nonce)s,
    rotated_at = clock_timestamp()
WHERE id = %(id)s

-- name: delete_session
-- Ends a session.
DELETE FROM sessions
WHERE id = %(id)s

-- name: end_session
-- Ends the session of a token, if that is the current or the previous one.
DELETE FROM sessions
WHERE id = %(id)s
    AND %(sha256)s IN (current_sha256, previous_sha256)

-- name: forget_sessions
-- Deletes expired sessions.
DELETE FROM sessions
WHERE id IN (
    SELECT id
    FROM sessions
    WHERE expires_at < now()
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
