-- name: claim
-- Claims keys until the transaction ends. Nobody waits for one: a key that is in flight elsewhere is
-- refused at once, so no two batches can wait for each other.
SELECT pg_try_advisory_xact_lock(
    hashtextextended(asked.caller || E'\x1f' || asked.operation || E'\x1f' || asked.key, 0)
)
FROM unnest(%(callers)b::text[], %(operations)b::text[], %(keys)b::text[]) WITH ORDINALITY
    AS asked (caller, operation, key, number)
ORDER BY asked.number

-- name: recall
-- Reads the answers that are stored for keys. A statement of its own, after the claim: it sees what
-- the owner before us committed.
SELECT
    asked.number::integer AS number,
    stored.fingerprint,
    stored.is_refusal,
    stored.answer,
    stored.outcome,
    stored.event_id,
    stored.booking_id,
    stored.rev,
    stored.snapshot,
    stored.decided_at
FROM unnest(%(callers)b::text[], %(operations)b::text[], %(keys)b::text[]) WITH ORDINALITY
    AS asked (caller, operation, key, number)
CROSS JOIN LATERAL (
    SELECT *
    FROM idempotency
    WHERE idempotency.caller = asked.caller
        AND idempotency.operation = asked.operation
        AND idempotency.key = asked.key
        AND decided_at > clock_timestamp() - interval '24 hours'
    OFFSET 0
) AS stored

-- name: keep
-- Stores the answers to claimed keys. Only one past its 24 hours can be here already.
INSERT INTO idempotency (caller, operation, key, fingerprint, is_refusal, answer, decided_at)
SELECT caller, operation, key, fingerprint, is_refusal, answer, clock_timestamp()
FROM unnest(
    %(callers)b::text[], %(operations)b::text[], %(keys)b::text[], %(fingerprints)b::bytea[],
    %(refusals)b::boolean[], %(answers)b::bytea[]
) AS kept (caller, operation, key, fingerprint, is_refusal, answer)
ON CONFLICT ON CONSTRAINT idempotency_pk DO UPDATE
SET
    fingerprint = excluded.fingerprint,
    is_refusal = excluded.is_refusal,
    answer = excluded.answer,
    outcome = NULL,
    event_id = NULL,
    booking_id = NULL,
    rev = NULL,
    snapshot = NULL,
    decided_at = excluded.decided_at

-- name: forget
-- Deletes a chunk of the answers whose 24 hours are over; a row at work elsewhere is left alone.
DELETE FROM idempotency
WHERE (caller, operation, key) IN (
    SELECT caller, operation, key
    FROM idempotency
    WHERE decided_at < clock_timestamp() - interval '24 hours'
    ORDER BY decided_at
    LIMIT %(chunk)s
    FOR UPDATE SKIP LOCKED
)
