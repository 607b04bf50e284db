-- name: find_notices
-- Lists the events of the first notices that are due.
SELECT event_id
FROM notices
WHERE due_at <= now()
ORDER BY due_at
LIMIT %(limit)s

-- name: lease_notices
-- Leases notices of an event that are due, with their bookings as they are now. SKIP LOCKED lets replicas
-- lease different ones, and the new due_at keeps them apart after the commit. A notice is moot if its
-- booking is over or its event has begun.
WITH due AS (
    SELECT
        booking_id,
        clock_timestamp() + least(
            interval '1 minute', interval '10 seconds' * power(2, least(attempts, 20))
        ) AS due_again_at
    FROM notices
    WHERE event_id = %(event_id)s
        AND due_at <= now()
    ORDER BY due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
),
leased AS (
    UPDATE notices
    SET
        attempts = attempts + 1,
        due_at = due_again_at
    FROM due
    WHERE event_id = %(event_id)s
        AND notices.booking_id = due.booking_id
    RETURNING notices.id, notices.booking_id
)
SELECT
    leased.id,
    event_id,
    leased.booking_id,
    user_id,
    event_name,
    event_starts_at,
    seat_count,
    reference,
    CASE WHEN status = 'HELD' THEN expires_at END AS offer_expires_at,
    status NOT IN ('HELD', 'CONFIRMED')
        OR (status = 'HELD' AND expires_at <= present())
        OR coalesce(event_starts_at <= clock_timestamp(), false) AS is_moot
FROM leased
JOIN booking_details ON booking_details.id = leased.booking_id
WHERE event_id = %(event_id)s

-- name: delete_notices
-- Deletes notices that accounts has confirmed or that are moot.
DELETE FROM notices
USING json_to_recordset(%(letters)s::json) AS over (event_id bigint, booking_id bigint)
WHERE notices.event_id = over.event_id
    AND notices.booking_id = over.booking_id
