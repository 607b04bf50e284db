-- name: claim
-- Claims keys until the transaction ends. It waits for none: a key that is in flight elsewhere is
-- not claimed, so no two batches can wait for each other.
SELECT pg_try_advisory_xact_lock(
    hashtextextended(claimed.caller || E'\x1f' || claimed.operation || E'\x1f' || claimed.key, 0)
)
FROM ROWS FROM (
    json_to_recordset(%(keys)s::json) AS (caller text, operation text, key text)
) WITH ORDINALITY AS claimed (caller, operation, key, number)
ORDER BY claimed.number

-- name: recall
-- Reads the results stored for keys. A statement of its own, after the claim: it sees what the
-- former owner of a key committed.
SELECT
    claimed.number::integer AS number,
    stored.fingerprint,
    stored.is_refusal,
    stored.response,
    stored.decided_at
FROM ROWS FROM (
    json_to_recordset(%(keys)s::json) AS (caller text, operation text, key text)
) WITH ORDINALITY AS claimed (caller, operation, key, number)
CROSS JOIN LATERAL (
    SELECT *
    FROM idempotency
    WHERE idempotency.caller = claimed.caller
        AND idempotency.operation = claimed.operation
        AND idempotency.key = claimed.key
        AND decided_at > clock_timestamp() - interval '24 hours'
    OFFSET 0
) AS stored

-- name: store
-- Stores the results of claimed keys. A row that is here already is past its 24 hours. If it is not,
-- another transaction has used the key although it was claimed: the null makes this one fail.
INSERT INTO idempotency (caller, operation, key, fingerprint, is_refusal, response, decided_at)
SELECT
    caller,
    operation,
    key,
    decode(fingerprint, 'hex'),
    is_refusal,
    decode(response, 'hex'),
    clock_timestamp()
FROM json_to_recordset(%(results)s::json) AS results (
    caller text, operation text, key text, fingerprint text, is_refusal boolean, response text
)
ON CONFLICT ON CONSTRAINT idempotency_pk DO UPDATE
SET
    fingerprint = excluded.fingerprint,
    is_refusal = excluded.is_refusal,
    response = excluded.response,
    decided_at = CASE
        WHEN excluded.decided_at - idempotency.decided_at >= interval '24 hours'
            THEN excluded.decided_at
    END

-- name: complete
-- Replaces responses that were incomplete. The first to complete one gets its row, and what it stores
-- stays. Rows are locked in the order of their keys: two that complete the same ones cannot deadlock.
WITH completed AS (
    SELECT DISTINCT ON (caller, operation, key) *
    FROM ROWS FROM (
        json_to_recordset(%(results)s::json) AS (
            caller text, operation text, key text, is_refusal boolean, response text, incomplete text
        )
    ) WITH ORDINALITY AS completed (
        caller, operation, key, is_refusal, response, incomplete, number
    )
    ORDER BY caller, operation, key, number
),
locked AS (
    SELECT
        caller,
        operation,
        key,
        completed.is_refusal AS becomes_refusal,
        decode(completed.response, 'hex') AS becomes
    FROM completed
    JOIN idempotency USING (caller, operation, key)
    WHERE idempotency.response = decode(incomplete, 'hex')
    ORDER BY caller, operation, key
    FOR NO KEY UPDATE OF idempotency
)
UPDATE idempotency
SET
    is_refusal = becomes_refusal,
    response = becomes
FROM locked
WHERE idempotency.caller = locked.caller
    AND idempotency.operation = locked.operation
    AND idempotency.key = locked.key
RETURNING idempotency.caller, idempotency.operation, idempotency.key

-- name: forget
-- Deletes a chunk of the results older than 24 hours; rows locked elsewhere are left for later.
WITH old AS (
    SELECT caller, operation, key
    FROM idempotency
    WHERE decided_at < now() - interval '24 hours'
    ORDER BY decided_at
    LIMIT %(chunk)s
    FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency
USING old
WHERE idempotency.caller = old.caller
    AND idempotency.operation = old.operation
    AND idempotency.key = old.key

-- name: lock
-- Waits for a key, where its result comes in a later transaction than the request's first one.
SELECT pg_advisory_xact_lock(
    hashtextextended(%(caller)s || E'\x1f' || %(operation)s || E'\x1f' || %(key)s, 0)
)
