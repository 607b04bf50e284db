-- name: add_charges
-- Adds charges and the webhooks that will tell of them, and reads them as find_charges does; leaves out
-- those that are there already. Webhooks of one status have one id: two of them are the same event.
WITH asked AS (
    SELECT DISTINCT ON (id) *
    FROM json_to_recordset(%(charges)s::json) AS asked (
        id uuid, token text, amount_minor bigint, currency text, outcome text, milliseconds integer,
        told text[]
    )
),
added AS (
    INSERT INTO sandbox_charges (id, token, amount_minor, currency, outcome, settles_at)
    SELECT
        id,
        token,
        amount_minor,
        currency,
        outcome,
        clock_timestamp() + milliseconds * interval '1 millisecond'
    FROM asked
    ON CONFLICT ON CONSTRAINT sandbox_charges_pk DO NOTHING
    RETURNING id, settles_at
),
telling AS (
    INSERT INTO sandbox_webhooks (charge_id, status, due_at)
    SELECT added.id, told.status, settles_at
    FROM added
    JOIN asked USING (id)
    CROSS JOIN unnest(asked.told) WITH ORDINALITY AS told (status, place)
    ORDER BY place
)
SELECT
    id,
    token,
    CASE WHEN milliseconds > 0 THEN 'PENDING' ELSE outcome END AS status,
    amount_minor,
    currency,
    milliseconds / 1000.0::float AS pending_seconds
FROM added
JOIN asked USING (id)

-- name: find_charges
-- Reads charges, PENDING until they settle, and for how many seconds they will be that.
SELECT
    id,
    token,
    CASE WHEN settles_at > clock_timestamp() THEN 'PENDING' ELSE outcome END AS status,
    amount_minor,
    currency,
    greatest(extract(epoch FROM settles_at - clock_timestamp()), 0)::float AS pending_seconds
FROM sandbox_charges
WHERE id = ANY (%(ids)s::uuid[])

-- name: cancel_charge
-- Ends a charge that has not settled, whose webhooks would tell of money, and adds one that is unknown as
-- failed, without money: XXX is "no currency" in ISO 4217.
WITH cancelled AS (
    INSERT INTO sandbox_charges (id, token, amount_minor, currency, outcome, settles_at)
    VALUES (%(id)s, '', 0, 'XXX', 'FAILED', clock_timestamp())
    ON CONFLICT ON CONSTRAINT sandbox_charges_pk DO UPDATE
    SET
        outcome = 'FAILED',
        settles_at = clock_timestamp()
    WHERE sandbox_charges.settles_at > clock_timestamp()
    RETURNING id
)
DELETE FROM sandbox_webhooks
USING cancelled
WHERE charge_id = cancelled.id

-- name: add_refund
-- Refunds a charge once for each id. sandbox_charges_refunded_range fails beyond its amount.
WITH added AS (
    INSERT INTO sandbox_refunds (id, charge_id, amount_minor)
    VALUES (%(id)s, %(charge_id)s, %(amount_minor)s)
    ON CONFLICT ON CONSTRAINT sandbox_refunds_pk DO NOTHING
    RETURNING charge_id, amount_minor
)
UPDATE sandbox_charges
SET refunded_minor = refunded_minor + added.amount_minor
FROM added
WHERE sandbox_charges.id = added.charge_id
