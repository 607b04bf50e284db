-- name: delete_sessions
-- Ends all log-ins of an account. Run after its generation grew: whoever logs in meanwhile has
-- either committed, and is seen here, or waits for the account's row and finds another generation.
DELETE FROM sessions
WHERE account_id = %(account_id)s

-- name: delete_api_keys
-- Ends all API keys of an account.
DELETE FROM api_keys
WHERE account_id = %(account_id)s
