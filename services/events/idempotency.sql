-- name: wait_briefly
-- Limits how long claim_key waits for a transaction that works on the same key.
SET LOCAL lock_timeout = '250ms'

-- name: wait_as_usual
-- Ends wait_briefly: the work itself may wait for an event as long as any other.
SET LOCAL lock_timeout TO DEFAULT

-- name: claim_key
-- Gives a row when the key is free, or was used a day ago. The primary key decides; whoever comes
-- second waits until the first has committed, then finds its answer, or has rolled back.
INSERT INTO idempotency (caller, operation, request_id, fingerprint)
VALUES (%(caller)s, %(operation)s, %(request_id)s, %(fingerprint)s)
ON CONFLICT ON CONSTRAINT idempotency_pkey DO UPDATE
SET fingerprint = excluded.fingerprint, refused = NULL, answer = NULL, created_at = now()
WHERE idempotency.answer IS NOT NULL
    AND idempotency.created_at < now() - interval '24 hours'
RETURNING 1

-- name: get_answer
-- Finds what is stored for a key. Not part of claim_key, whose snapshot is older than its wait.
SELECT fingerprint, refused, answer
FROM idempotency
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND request_id = %(request_id)s

-- name: store_answer
-- Stores the answer to a claimed key.
UPDATE idempotency
SET refused = %(refused)s, answer = %(answer)s
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND request_id = %(request_id)s

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
