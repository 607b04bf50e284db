-- name: closing_events
-- Lists closed events whose bookings are not all written as CANCELLED.
SELECT event_id
FROM inventory
WHERE closing
ORDER BY event_id
LIMIT %(limit)s

-- name: lock
-- Locks one of them, unless another worker has it.
SELECT closed_at
FROM inventory
WHERE event_id = %(event_id)s
    AND closing
FOR NO KEY UPDATE SKIP LOCKED

-- name: cancel
-- Writes bookings as CANCELLED; returns how many of which users, by the day on which they were made, and
-- the last of these bookings.
WITH live AS (
    SELECT id
    FROM bookings
    WHERE event_id = %(event_id)s
        AND status IN ('HELD', 'CONFIRMED')
    ORDER BY id
    LIMIT %(chunk)s
),
cancelled AS (
    UPDATE bookings
    SET status = 'CANCELLED', cancelled_at = %(closed_at)s
    FROM live
    WHERE bookings.event_id = %(event_id)s
        AND bookings.id = live.id
    RETURNING bookings.id, bookings.user_id, (bookings.created_at AT TIME ZONE 'UTC')::date AS day
)
SELECT user_id, day, count(*)::integer AS bookings, max(id) AS last_id
FROM cancelled
GROUP BY user_id, day

-- name: untally
-- Takes bookings of an event out of the tallies.
SELECT tally(%(user_ids)s::text[], %(days)s::date[], %(changes)s::integer[])

-- name: untally_distributed
-- Likewise where events lie on several nodes, and records up to which booking: a ranking that read the
-- bookings of the event before reads the tallies later, and finds there which of them are gone.
WITH untallied AS (
    SELECT tally(%(user_ids)s::text[], %(days)s::date[], %(changes)s::integer[])
)
INSERT INTO tallied_events (event_id, untallied_id)
SELECT %(event_id)s, %(last_id)s
FROM untallied
ON CONFLICT ON CONSTRAINT tallied_events_pk DO UPDATE
SET untallied_id = excluded.untallied_id

-- name: free_seats
-- Deletes claims of seats.
WITH claimed AS (
    SELECT seat_id
    FROM seat_claims
    WHERE event_id = %(event_id)s
    LIMIT %(chunk)s
)
DELETE FROM seat_claims
USING claimed
WHERE seat_claims.event_id = %(event_id)s
    AND seat_claims.seat_id = claimed.seat_id

-- name: forget_map
-- Deletes the map of the seats.
DELETE FROM seat_blocks
WHERE event_id = %(event_id)s

-- name: send_home
-- Ends the waiting of entries.
WITH in_line AS (
    SELECT place
    FROM waiting_list
    WHERE event_id = %(event_id)s
        AND state IN ('WAITING', 'OFFERED')
    LIMIT %(chunk)s
)
UPDATE waiting_list
SET state = 'EXPIRED', changed_at = %(closed_at)s
FROM in_line
WHERE waiting_list.event_id = %(event_id)s
    AND waiting_list.place = in_line.place

-- name: finish
-- Records that everything of a closed event is written.
UPDATE inventory
SET closing = false
WHERE event_id = %(event_id)s
