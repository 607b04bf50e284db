-- name: try_key
-- Takes the lock of a key until the transaction ends, unless somebody else has it. Nobody waits for
-- one: whoever writes its row has the lock, so claim_key never does either.
SELECT pg_try_advisory_xact_lock(
    hashtextextended(%(caller)s || E'\x1f' || %(operation)s || E'\x1f' || %(request_id)s, 0)
)

-- name: lock_key
-- Waits for the lock of a key, where the answer to a request comes later than its work.
SELECT pg_advisory_xact_lock(
    hashtextextended(%(caller)s || E'\x1f' || %(operation)s || E'\x1f' || %(request_id)s, 0)
)

-- name: claim_key
-- Gives a row when the key is free, or was used a day ago. A statement of its own, after the lock: it
-- sees what the owner before us committed.
INSERT INTO idempotency (caller, operation, request_id, fingerprint)
VALUES (%(caller)s, %(operation)s, %(request_id)s, %(fingerprint)s)
ON CONFLICT ON CONSTRAINT idempotency_pkey DO UPDATE
SET fingerprint = excluded.fingerprint, refused = NULL, answer = NULL, created_at = now()
WHERE idempotency.answer IS NOT NULL
    AND idempotency.created_at < now() - interval '24 hours'
RETURNING 1

-- name: get_answer
-- Finds what is stored for a key.
SELECT fingerprint, refused, answer
FROM idempotency
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND request_id = %(request_id)s

-- name: store_answer
-- Stores the answer to a claimed key; with `refused` NULL it is unfinished.
UPDATE idempotency
SET refused = %(refused)s, answer = %(answer)s
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND request_id = %(request_id)s

-- name: finish_answer
-- Finishes an unfinished answer. Of several the first gets the row, and what it stores stays.
UPDATE idempotency
SET refused = false, answer = coalesce(%(answer)s::bytea, answer)
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND request_id = %(request_id)s
    AND answer IS NOT NULL
    AND refused IS NULL

-- name: forget_keys
-- Deletes answers that need not be kept any more. Replicas pass over each other's rows.
DELETE FROM idempotency
WHERE (caller, operation, request_id) IN (
    SELECT caller, operation, request_id
    FROM idempotency
    WHERE created_at < now() - interval '24 hours'
        AND answer IS NOT NULL
    ORDER BY created_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
