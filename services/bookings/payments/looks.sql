-- name: lease
-- Leases an attempt of a provider that is due. The later next_look_at keeps other workers away after the commit, and
-- is the pause until the next look: as long as the attempt is old, but no longer than its hold lasts.
WITH due AS (
    SELECT
        payments.event_id,
        payments.id,
        payments.created_at,
        coalesce(
            CASE WHEN bookings.status = 'HELD' THEN bookings.expires_at END,
            payments.created_at + %(open_for)s::interval
        ) AS ends_at
    FROM payments
    JOIN bookings ON bookings.event_id = payments.event_id
        AND bookings.id = payments.booking_id
    WHERE payments.status = 'CREATED'
        AND provider = %(provider)s
        AND next_look_at <= clock_timestamp()
    ORDER BY next_look_at
    LIMIT 1
    FOR NO KEY UPDATE OF payments SKIP LOCKED
)
UPDATE payments
SET next_look_at = clock_timestamp() + greatest(
    %(shortest)s::interval,
    least(present() - due.created_at, due.ends_at - present(), %(longest)s::interval)
)
FROM due
WHERE payments.event_id = due.event_id
    AND payments.id = due.id
RETURNING
    payments.event_id,
    booking_id,
    payments.id,
    provider,
    status,
    amount_minor,
    currency,
    provider_reference,
    present() - due.created_at AS age,
    due.ends_at <= present() AS has_ended
