-- name: lock_account
-- Finds the account with an address, and locks the row until the transaction ends.
SELECT id, role, generation, banned_at IS NOT NULL AS is_banned
FROM accounts
WHERE canonical_email = %(canonical_email)s
FOR NO KEY UPDATE

-- name: set_role
-- Sets a role, which also settles a request to become an organizer.
UPDATE accounts
SET role = %(role)s, organizer_asked_at = NULL, updated_at = now()
WHERE id = %(id)s

-- name: ban
-- Bans an account.
UPDATE accounts
SET banned_at = now(), updated_at = now()
WHERE id = %(id)s

-- name: unban
-- Lifts a ban.
UPDATE accounts
SET banned_at = NULL, updated_at = now()
WHERE id = %(id)s
    AND banned_at IS NOT NULL
