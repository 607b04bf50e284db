-- name: lease_letter
-- Leases a letter that is due. SKIP LOCKED gives replicas different ones, and the later due time keeps
-- them apart after the commit.
WITH due AS (
    SELECT event_id, ticket_id
    FROM ticket_letters
    WHERE due_at <= clock_timestamp()
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE ticket_letters
SET
    attempts = attempts + 1,
    due_at = clock_timestamp()
        + least(interval '5 minutes', interval '10 seconds' * power(2, least(attempts, 20)))
FROM due
WHERE ticket_letters.event_id = due.event_id
    AND ticket_letters.ticket_id = due.ticket_id
RETURNING
    ticket_letters.id,
    ticket_letters.event_id,
    ticket_letters.ticket_id,
    user_id

-- name: end_letter
-- Ends a letter that accounts has, or that is not needed, unless another one has replaced it.
DELETE FROM ticket_letters
WHERE event_id = %(event_id)s
    AND ticket_id = %(ticket_id)s
    AND id = %(id)s
