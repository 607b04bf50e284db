-- name: find
-- Lists the events of a provider's first attempts that are due.
SELECT event_id
FROM payments
WHERE status = 'CREATED'
    AND provider = %(provider)s
    AND next_look_at <= now()
ORDER BY next_look_at
LIMIT %(limit)s

-- name: lease
-- Leases attempts of an event and a provider that are due. The later next_look_at keeps other workers away after the
-- commit, and is the pause until the next look: as long as the attempt is old, but no longer than its hold lasts.
WITH due AS (
    SELECT
        payments.id,
        present() - payments.created_at AS age,
        coalesce(
            CASE WHEN bookings.status = 'HELD' THEN bookings.expires_at END,
            payments.created_at + %(open_for)s::interval
        ) - present() AS time_left
    FROM payments
    JOIN bookings ON bookings.event_id = payments.event_id
        AND bookings.id = payments.booking_id
    WHERE payments.event_id = %(event_id)s
        AND payments.status = 'CREATED'
        AND provider = %(provider)s
        AND next_look_at <= now()
    ORDER BY next_look_at
    LIMIT %(limit)s
    FOR NO KEY UPDATE OF payments SKIP LOCKED
),
paused AS (
    SELECT
        *,
        clock_timestamp() + greatest(
            %(shortest)s::interval, least(age, time_left, %(longest)s::interval)
        ) AS look_again_at
    FROM due
),
leased AS (
    UPDATE payments
    SET next_look_at = look_again_at
    FROM paused
    WHERE event_id = %(event_id)s
        AND payments.id = paused.id
    RETURNING
        event_id,
        booking_id,
        payments.id,
        provider,
        status,
        amount_minor,
        currency,
        provider_reference,
        age,
        time_left <= interval '0' AS has_ended
)
SELECT *
FROM leased
