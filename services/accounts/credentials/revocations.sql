-- name: revoke
-- Starts a new generation of an account's tokens. Tokens are issued without a lock: one of the former
-- generation is refused as soon as the new generation is listed.
UPDATE accounts
SET generation = generation + 1, revoked_at = now(), updated_at = now()
WHERE id = %(account_id)s
RETURNING generation

-- name: list_revocations
-- Lists the accounts whose generation grew so recently that older tokens, which live for 15 minutes,
-- may not have expired.
SELECT id AS account_id, generation
FROM accounts
WHERE revoked_at > now() - interval '20 minutes'
    AND id > %(after)s
ORDER BY id
LIMIT %(limit)s

-- name: delete_sessions
-- Ends all sessions of an account. Run it after the generation grew: a concurrent log-in has either
-- committed, and is seen here, or waits for the account's row and then finds another generation.
DELETE FROM sessions
WHERE account_id = %(account_id)s

-- name: delete_api_keys
-- Ends all API keys of an account.
DELETE FROM api_keys
WHERE account_id = %(account_id)s
