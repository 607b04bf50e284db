-- name: accept_notice
-- Stores a notice and its e-mail, unless the notice came before or the account has no address. The
-- lock keeps the address: a transaction that changes or erases it waits, and finds the e-mail.
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
        id, account_id, kind, event_name, starts_at, seat_count, reference, offer_expires_at,
        webhook_url, time_zone
    )
    SELECT
        %(id)s, addressee.id, %(kind)s, %(event_name)s, %(starts_at)s, %(seat_count)s,
        %(reference)s, %(offer_expires_at)s, %(webhook_url)s, %(time_zone)s
    FROM addressee
    ON CONFLICT ON CONSTRAINT notices_pkey DO NOTHING
    RETURNING notices.id
),
attached AS (
    INSERT INTO attachments (notice_id, number, name, media_type, content)
    SELECT stored.id, number, name, media_type, content
    FROM stored
    CROSS JOIN unnest(%(names)s::text[], %(media_types)s::text[], %(contents)s::bytea[])
        WITH ORDINALITY AS file (name, media_type, content, number)
)
INSERT INTO outbox (canonical_email, email, letter, notice_id, asked_at, due_at)
SELECT canonical_email, email, %(email_kind)s, stored.id, clock_timestamp(), clock_timestamp()
FROM stored, addressee

-- name: find_notice
-- Finds a notice whose offer has not expired, for an account that still exists.
SELECT
    notices.id, account_id, kind, event_name, starts_at, seat_count, reference, offer_expires_at,
    webhook_url, time_zone
FROM notices
JOIN accounts ON accounts.id = account_id
WHERE notices.id = %(id)s
    AND banned_at IS NULL
    AND deleted_at IS NULL
    AND coalesce(offer_expires_at > clock_timestamp(), true)

-- name: list_attachments
-- Lists the files of a notice.
SELECT name, media_type, content
FROM attachments
WHERE notice_id = %(id)s
ORDER BY number

-- name: forget_notices
-- Deletes notices that bookings no longer repeats.
DELETE FROM notices
WHERE id IN (
    SELECT id
    FROM notices
    WHERE received_at < now() - interval '7 days'
    LIMIT %(limit)s
)

-- name: delete_notices_of
-- Deletes all notices to an account.
DELETE FROM notices
WHERE account_id = %(account_id)s
