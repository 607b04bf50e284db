-- name: admissions
-- Reads whom the queues of events have admitted, of the users that ask.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT event_id, user_id, secret_hash, admitted_until
    FROM queue_entries
    WHERE queue_entries.event_id = asked.event_id
        AND queue_entries.user_id = asked.user_id
        AND state = 'ADMITTED'
    OFFSET 0
) AS found

-- name: add_queues
-- Makes the queues of events that have had none.
INSERT INTO queues (
    event_id, enabled, rate_per_minute, max_active, admission_seconds, seed
)
SELECT event_id, false, 600, 500, 600, decode(seed, 'hex')
FROM json_to_recordset(%(queues)s::json) AS added (event_id bigint, seed text)
ON CONFLICT ON CONSTRAINT queues_pk DO NOTHING

-- name: set_queues
-- Stores the settings of queues; those that are null stay as they are.
UPDATE queues
SET
    enabled = changed.enabled,
    opens_at = coalesce(changed.opens_at, queues.opens_at),
    rate_per_minute = coalesce(changed.rate_per_minute, queues.rate_per_minute),
    max_active = coalesce(changed.max_active, queues.max_active),
    admission_seconds = coalesce(changed.admission_seconds, queues.admission_seconds),
    -- Without a time it is open at once, and nothing is drawn.
    draw_size = CASE
        WHEN coalesce(changed.opens_at, queues.opens_at) IS NULL
            THEN coalesce(queues.draw_size, queues.last_id)
        ELSE queues.draw_size
    END
FROM json_to_recordset(%(queues)s::json) AS changed (
    event_id bigint, enabled boolean, opens_at timestamptz, rate_per_minute integer,
    max_active integer, admission_seconds integer
)
WHERE queues.event_id = changed.event_id

-- name: mark_done
-- Ends the admissions of users who have booked. It must not look rows up by ctid, as others do: a
-- sign of life may move a row meanwhile.
UPDATE queue_entries
SET state = 'DONE'
FROM json_to_recordset(%(users)s::json) AS booked (event_id bigint, user_id text)
WHERE queue_entries.event_id = booked.event_id
    AND queue_entries.user_id = booked.user_id
    AND queue_entries.state = 'ADMITTED'
