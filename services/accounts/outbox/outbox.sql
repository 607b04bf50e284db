-- name: enqueue_email
-- Stores an e-mail that is due at once. It replaces a waiting one of the same kind.
INSERT INTO outbox (canonical_email, email, letter, asked_at, due_at)
VALUES (%(canonical_email)s, %(email)s, %(kind)s, clock_timestamp(), clock_timestamp())
ON CONFLICT ON CONSTRAINT outbox_letter_once DO UPDATE
SET
    email = excluded.email,
    asked_at = excluded.asked_at,
    due_at = excluded.due_at,
    attempts = 0

-- name: lease_emails
-- Leases e-mails that are due. SKIP LOCKED gives replicas different ones, and the new due_at keeps
-- other workers away after the commit.
UPDATE outbox
SET
    attempts = attempts + 1,
    due_at = clock_timestamp()
        + least(interval '1 hour', interval '30 seconds' * power(2, least(attempts, 20)))
WHERE id IN (
    SELECT id
    FROM outbox
    WHERE due_at <= now()
    ORDER BY due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING id, canonical_email, email, letter AS kind, notice_id, asked_at, attempts

-- name: delete_email
-- Deletes an e-mail with its files, unless it was requested again in the meantime.
WITH deleted AS (
    DELETE FROM outbox
    WHERE id = %(id)s
        AND asked_at = %(asked_at)s
    RETURNING notice_id
)
DELETE FROM attachments
USING deleted
WHERE attachments.notice_id = deleted.notice_id

-- name: delete_old_emails
-- Deletes e-mails that could not be sent for two days, with their files.
WITH deleted AS (
    DELETE FROM outbox
    WHERE asked_at < clock_timestamp() - interval '2 days'
    RETURNING notice_id
),
detached AS (
    DELETE FROM attachments
    USING deleted
    WHERE attachments.notice_id = deleted.notice_id
)
SELECT count(*)
FROM deleted

-- name: measure_emails
-- Counts the e-mails that wait, and reads the age of the oldest.
SELECT
    count(*) AS emails,
    coalesce(extract(epoch FROM clock_timestamp() - min(asked_at)), 0)::float8 AS seconds
FROM outbox

-- name: redirect_emails
-- Sends e-mails of some kinds to another address.
UPDATE outbox
SET canonical_email = %(canonical_email)s, email = %(email)s
WHERE canonical_email = %(former)s
    AND letter = ANY(%(kinds)s)

-- name: delete_emails_to
-- Deletes all e-mails to an address.
DELETE FROM outbox
WHERE canonical_email = %(canonical_email)s
