-- name: post_letter
-- Writes a letter down, due at once, in place of one like it.
INSERT INTO outbox (canonical_email, email, letter, asked_at, due_at)
VALUES (%(canonical_email)s, %(email)s, %(letter)s, clock_timestamp(), clock_timestamp())
ON CONFLICT ON CONSTRAINT outbox_letter_once DO UPDATE
SET
    email = excluded.email,
    asked_at = excluded.asked_at,
    due_at = excluded.due_at,
    attempts = 0

-- name: lease_letters
-- Takes letters that are due. SKIP LOCKED lets replicas take different ones, and the new due_at
-- keeps them apart after the commit.
UPDATE outbox
SET
    attempts = attempts + 1,
    due_at = clock_timestamp()
        + least(interval '1 hour', interval '30 seconds' * power(2, least(attempts, 20)))
WHERE id IN (
    SELECT id
    FROM outbox
    WHERE due_at <= clock_timestamp()
    ORDER BY due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING id, canonical_email, email, letter, notice_id, asked_at, attempts

-- name: delete_letter
-- Ends a letter, unless it was asked for again in the meantime.
DELETE FROM outbox
WHERE id = %(id)s
    AND asked_at = %(asked_at)s

-- name: delete_old_letters
-- Gives up on letters that nobody took for two days.
DELETE FROM outbox
WHERE asked_at < clock_timestamp() - interval '2 days'

-- name: forward_letters
-- Sends letters of a kind to another address.
UPDATE outbox
SET canonical_email = %(canonical_email)s, email = %(email)s
WHERE canonical_email = %(former)s
    AND letter = %(letter)s

-- name: withdraw_letters
-- Deletes all letters to an address.
DELETE FROM outbox
WHERE canonical_email = %(canonical_email)s
