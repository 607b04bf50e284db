-- name: get_user
-- Gets a user.
SELECT
    id, email, canonical_email, email_verified, name, firstname, lastname, country, role,
    generation, password_hash
FROM accounts
WHERE id = %(id)s
    AND deleted_at IS NULL
    AND banned_at IS NULL

-- name: lock_user
-- Gets a user, and locks the row until the transaction ends.
SELECT
    id, email, canonical_email, email_verified, name, firstname, lastname, country, role,
    generation, password_hash
FROM accounts
WHERE id = %(id)s
    AND deleted_at IS NULL
    AND banned_at IS NULL
FOR NO KEY UPDATE

-- name: find_user
-- Finds the user with an address.
SELECT
    id, email, canonical_email, email_verified, name, firstname, lastname, country, role,
    generation, password_hash
FROM accounts
WHERE canonical_email = %(canonical_email)s
    AND banned_at IS NULL

-- name: add_user
-- Adds an account. The unique constraint admits one of several concurrent registrations.
INSERT INTO accounts (
    id, email, canonical_email, email_verified, name, firstname, lastname, country, role,
    password_hash, organizer_asked_at
)
VALUES (
    %(id)s, %(email)s, %(canonical_email)s, %(email_verified)s, %(name)s, %(firstname)s,
    %(lastname)s, %(country)s, %(role)s, %(password_hash)s,
    CASE WHEN %(asks_to_organize)s THEN now() END
)
ON CONFLICT ON CONSTRAINT accounts_email_unique DO NOTHING
RETURNING
    id, email, canonical_email, email_verified, name, firstname, lastname, country, role,
    generation, password_hash

-- name: take_over_user
-- Hands an unverified account over to the new user, and starts a new generation of its tokens.
UPDATE accounts
SET
    email = %(email)s,
    email_verified = true,
    name = %(name)s,
    firstname = %(firstname)s,
    lastname = %(lastname)s,
    country = %(country)s,
    role = %(role)s,
    password_hash = %(password_hash)s,
    organizer_asked_at = CASE WHEN %(asks_to_organize)s THEN now() END,
    generation = generation + 1,
    revoked_at = now(),
    updated_at = now()
WHERE canonical_email = %(canonical_email)s
    AND NOT email_verified
    AND banned_at IS NULL
RETURNING
    id, email, canonical_email, email_verified, name, firstname, lastname, country, role,
    generation, password_hash

-- name: set_password
-- Sets a password, and starts a new generation of the account's tokens.
UPDATE accounts
SET
    password_hash = %(password_hash)s,
    email_verified = true,
    generation = generation + 1,
    revoked_at = now(),
    updated_at = now()
WHERE canonical_email = %(canonical_email)s
    AND banned_at IS NULL
RETURNING
    id, email, canonical_email, email_verified, name, firstname, lastname, country, role,
    generation, password_hash

-- name: rehash_password
-- Stores a new hash of a password, unless the password was changed meanwhile.
UPDATE accounts
SET password_hash = %(password_hash)s
WHERE id = %(id)s
    AND password_hash = %(known)s

-- name: set_email
-- Sets a verified address; accounts_email_unique refuses the address of another account.
UPDATE accounts
SET
    email = %(email)s,
    canonical_email = %(canonical_email)s,
    email_verified = true,
    updated_at = now()
WHERE id = %(id)s
    AND deleted_at IS NULL
    AND banned_at IS NULL
RETURNING
    id, email, canonical_email, email_verified, name, firstname, lastname, country, role,
    generation, password_hash

-- name: set_personal_data
-- Sets the name and the country of a user.
UPDATE accounts
SET
    name = %(name)s,
    firstname = %(firstname)s,
    lastname = %(lastname)s,
    country = %(country)s,
    updated_at = now()
WHERE id = %(id)s
RETURNING
    id, email, canonical_email, email_verified, name, firstname, lastname, country, role,
    generation, password_hash

-- name: erase_user
-- Erases all personal data of an account.
UPDATE accounts
SET
    email = NULL,
    canonical_email = NULL,
    email_verified = false,
    name = '',
    firstname = '',
    lastname = '',
    country = NULL,
    role = 'USER',
    password_hash = NULL,
    organizer_asked_at = NULL,
    deleted_at = now(),
    updated_at = now()
WHERE id = %(id)s
