-- name: find_letters
-- Lists the events of the first letters that are due.
SELECT event_id
FROM ticket_letters
WHERE due_at <= now()
ORDER BY due_at
LIMIT %(limit)s

-- name: lease_letters
-- Leases letters of an event that are due. SKIP LOCKED gives replicas different ones, and the later due
-- time keeps them apart after the commit.
WITH due AS (
    SELECT
        ticket_id,
        now() + least(
            interval '5 minutes', interval '10 seconds' * power(2, least(attempts, 20))
        ) AS due_again_at
    FROM ticket_letters
    WHERE event_id = %(event_id)s
        AND due_at <= now()
    ORDER BY due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE ticket_letters
SET
    attempts = attempts + 1,
    due_at = due_again_at
FROM due
WHERE event_id = %(event_id)s
    AND ticket_letters.ticket_id = due.ticket_id
RETURNING
    id,
    event_id,
    ticket_letters.ticket_id,
    user_id

-- name: end_letters
-- Ends letters that accounts has, or that are not needed, unless another one has replaced one.
DELETE FROM ticket_letters
USING json_to_recordset(%(letters)s::json) AS over (event_id bigint, ticket_id uuid, id uuid)
WHERE ticket_letters.event_id = over.event_id
    AND ticket_letters.ticket_id = over.ticket_id
    AND ticket_letters.id = over.id
