-- name: complete
-- Completes an incomplete result, with another response if one is given. The first to complete it
-- gets the row, and what it stores stays.
UPDATE idempotency
SET is_refusal = false, response = coalesce(%(response)s::bytea, response)
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND key = %(key)s
    AND is_refusal IS NULL
