-- name: accept_notice
-- Stores a notice and its letter, unless it came before or there is nobody to write to. The lock
-- keeps the address as it is: whoever changes or erases it later finds the letter.
WITH addressee AS (
    SELECT id, email, canonical_email
    FROM accounts
    WHERE id = %(account_id)s
        AND email_verified
        AND banned_at IS NULL
        AND deleted_at IS NULL
    FOR KEY SHARE
),
stored AS (
    INSERT INTO notices (
        id, account_id, kind, event_name, starts_at, seat_count, reference, offer_expires_at
    )
    SELECT
        %(id)s, addressee.id, %(kind)s, %(event_name)s, %(starts_at)s, %(seat_count)s,
        %(reference)s, %(offer_expires_at)s
    FROM addressee
    ON CONFLICT ON CONSTRAINT notices_pkey DO NOTHING
    RETURNING notices.id
)
INSERT INTO outbox (canonical_email, email, letter, notice_id, asked_at, due_at)
SELECT canonical_email, email, %(letter)s, stored.id, clock_timestamp(), clock_timestamp()
FROM stored, addressee

-- name: find_notice
-- Finds a notice that is still worth telling.
SELECT
    notices.id, account_id, kind, event_name, starts_at, seat_count, reference, offer_expires_at
FROM notices
JOIN accounts ON accounts.id = account_id
WHERE notices.id = %(id)s
    AND banned_at IS NULL
    AND deleted_at IS NULL
    AND coalesce(offer_expires_at > clock_timestamp(), true)

-- name: forget_notices
-- Forgets notices that nobody sends again.
DELETE FROM notices
WHERE id IN (
    SELECT id
    FROM notices
    WHERE received_at < now() - interval '7 days'
    LIMIT %(limit)s
)

-- name: withdraw_notices
-- Deletes all notices to an account.
DELETE FROM notices
WHERE account_id = %(account_id)s
