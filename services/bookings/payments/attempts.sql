-- name: find
-- Finds payments.
SELECT
    event_id, booking_id, id, provider, status, amount_minor, currency, provider_reference
FROM payments
WHERE id = ANY (%(ids)s::uuid[])

-- name: keep_reference
-- Keeps the provider's own name of a charge that is pending, to look it up by.
UPDATE payments
SET provider_reference = %(reference)s
WHERE event_id = %(event_id)s
    AND id = %(id)s
    AND status = 'CREATED'
