-- name: read
-- Reads what the former release stored for keys.
SELECT
    asked.number::integer AS number,
    idempotency.outcome,
    idempotency.event_id,
    idempotency.booking_id,
    idempotency.rev,
    idempotency.snapshot,
    idempotency.decided_at
FROM unnest(%(callers)s::text[], %(operations)s::text[], %(keys)s::text[]) WITH ORDINALITY
    AS asked (caller, operation, key, number)
JOIN idempotency USING (caller, operation, key)
