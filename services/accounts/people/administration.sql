-- name: lock_account
-- Finds who has an address, and keeps the row as it is until the transaction ends.
SELECT id, role, generation, banned_at IS NOT NULL AS is_banned
FROM accounts
WHERE canonical_email = %(canonical_email)s
FOR NO KEY UPDATE

-- name: set_role
-- Gives an account a role, which decides about what it asked for.
UPDATE accounts
SET role = %(role)s, organizer_asked_at = NULL, updated_at = now()
WHERE id = %(id)s

-- name: ban
-- Bans an account.
UPDATE accounts
SET banned_at = now(), updated_at = now()
WHERE id = %(id)s

-- name: unban
-- Takes a ban back.
UPDATE accounts
SET banned_at = NULL, updated_at = now()
WHERE id = %(id)s
    AND banned_at IS NOT NULL
