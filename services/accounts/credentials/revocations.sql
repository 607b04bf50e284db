-- name: revoke
-- Begins another generation of an account's tokens. Whoever issues one reads the generation under
-- no lock: a token of the former one is refused as soon as the new one is listed.
UPDATE accounts
SET generation = generation + 1, revoked_at = now(), updated_at = now()
WHERE id = %(account_id)s
RETURNING generation

-- name: list_revocations
-- Lists the accounts whose generation grew while tokens that are older may still be valid: those
-- live for 15 minutes.
SELECT id AS account_id, generation
FROM accounts
WHERE revoked_at > now() - interval '20 minutes'
    AND id > %(after)s
ORDER BY id
LIMIT %(limit)s

-- name: delete_sessions
-- Ends all log-ins of an account. Run after its generation grew: whoever logs in meanwhile has
-- either committed, and is seen here, or waits for the account's row and finds another generation.
DELETE FROM sessions
WHERE account_id = %(account_id)s

-- name: delete_api_keys
-- Ends all API keys of an account.
DELETE FROM api_keys
WHERE account_id = %(account_id)s
