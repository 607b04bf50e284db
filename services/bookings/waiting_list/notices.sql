-- name: lease_notices
-- Leases notices that are due, with their bookings as they are now. SKIP LOCKED lets replicas lease
-- different ones, and the new due_at keeps them apart after the commit. A notice is moot if its
-- booking is over or its event has begun.
WITH due AS (
    SELECT event_id, booking_id
    FROM notices
    WHERE due_at <= clock_timestamp()
    ORDER BY due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
),
leased AS (
    UPDATE notices
    SET
        attempts = attempts + 1,
        due_at = clock_timestamp()
            + least(interval '1 minute', interval '10 seconds' * power(2, least(attempts, 20)))
    FROM due
    WHERE notices.event_id = due.event_id
        AND notices.booking_id = due.booking_id
    RETURNING notices.id, notices.event_id, notices.booking_id
)
SELECT
    leased.id,
    leased.event_id,
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
JOIN booking_details ON booking_details.event_id = leased.event_id
    AND booking_details.id = leased.booking_id

-- name: delete_notices
-- Deletes notices that accounts has confirmed or that are moot.
DELETE FROM notices
USING json_to_recordset(%(letters)s::json) AS over (event_id bigint, booking_id bigint)
WHERE notices.event_id = over.event_id
    AND notices.booking_id = over.booking_id
