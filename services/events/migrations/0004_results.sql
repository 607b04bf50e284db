-- Results of requests with a key are stored as in the other services: the bytes of the whole response
-- or of the refusal's status. A key without a result belongs to an open intent, and is kept there.
ALTER TABLE intents DROP CONSTRAINT intents_request, DROP CONSTRAINT intents_request_whole;
ALTER TABLE intents RENAME COLUMN request_id TO key;
ALTER TABLE intents ADD COLUMN fingerprint bytea;

UPDATE intents
SET fingerprint = idempotency.fingerprint
FROM idempotency
WHERE idempotency.caller = intents.caller
    AND idempotency.operation = intents.operation
    AND idempotency.request_id = intents.key;

ALTER TABLE intents
    ADD CONSTRAINT intents_key_whole
        CHECK (num_nulls(caller, operation, key, fingerprint) IN (0, 4)),
    ADD CONSTRAINT intents_key_unique UNIQUE (caller, operation, key);

DELETE FROM idempotency WHERE answer IS NULL;

-- What was stored is field 1 of the response, except for InitializeEvent, whose whole response was.
-- Prepend the field's tag and its length, which takes 7 bits of each byte, the lowest first.
UPDATE idempotency
SET answer = '\x0a'::bytea || field.length || idempotency.answer
FROM idempotency AS stored
CROSS JOIN LATERAL (SELECT length(stored.answer)) AS answer (size)
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN size < 128 THEN set_byte('\x00', 0, size)
        WHEN size < 16384
            THEN set_byte(set_byte('\x0000', 0, size & 127 | 128), 1, size >> 7)
        ELSE set_byte(
            set_byte(set_byte('\x000000', 0, size & 127 | 128), 1, size >> 7 & 127 | 128),
            2, size >> 14
        )
    END
) AS field (length)
WHERE stored.caller = idempotency.caller
    AND stored.operation = idempotency.operation
    AND stored.request_id = idempotency.request_id
    AND idempotency.refused IS NOT TRUE
    AND idempotency.operation <> 'InitializeEvent';

-- A result whose `is_refusal` is NULL is incomplete: see services/events/idempotency.py.
ALTER TABLE idempotency DROP CONSTRAINT idempotency_answer_whole;
ALTER TABLE idempotency ALTER COLUMN answer SET NOT NULL;
ALTER TABLE idempotency RENAME COLUMN request_id TO key;
ALTER TABLE idempotency RENAME COLUMN refused TO is_refusal;
ALTER TABLE idempotency RENAME COLUMN answer TO response;
ALTER TABLE idempotency RENAME COLUMN created_at TO decided_at;
ALTER TABLE idempotency RENAME CONSTRAINT idempotency_pkey TO idempotency_pk;
ALTER INDEX idempotency_created_at RENAME TO idempotency_by_decided_at;
