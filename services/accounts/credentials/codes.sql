-- name: find_address
-- Finds the one of the HMACs of an address under which it is stored; the first one counts more.
-- No lock is needed: while peppers are replaced an address may have a row under each of them, and
-- then its limits count for each.
SELECT address_hmac
FROM codes
WHERE address_hmac = ANY(%(hmacs)s)
ORDER BY array_position(%(hmacs)s, address_hmac)
LIMIT 1

-- name: request_code
-- Notes the request of a code, unless the last one was just now or there were too many in 24 hours.
-- The row's lock puts concurrent requests into an order.
INSERT INTO codes AS held (address_hmac, purpose, account_id, asked_at)
VALUES (%(address_hmac)s, %(purpose)s, %(account_id)s, ARRAY[clock_timestamp()])
ON CONFLICT ON CONSTRAINT codes_pkey DO UPDATE
SET
    purpose = excluded.purpose,
    account_id = excluded.account_id,
    hmac = NULL,
    tries = 0,
    expires_at = NULL,
    asked_at = held.asked_at[cardinality(held.asked_at) - 18:] || clock_timestamp()
WHERE held.asked_at[cardinality(held.asked_at)] <= clock_timestamp() - interval '60 seconds'
    AND (
        cardinality(held.asked_at) < 20
        OR held.asked_at[1] <= clock_timestamp() - interval '24 hours'
    )
RETURNING 1

-- name: get_wait
-- Returns in how many seconds a code can be requested.
SELECT greatest(1, ceil(extract(epoch FROM
    greatest(
        asked_at[cardinality(asked_at)] + interval '60 seconds',
        CASE WHEN cardinality(asked_at) = 20 THEN asked_at[1] + interval '24 hours' END
    ) - clock_timestamp()
)))::integer
FROM codes
WHERE address_hmac = %(address_hmac)s

-- name: lock_request
-- Locks the request of a code until the code is set.
SELECT account_id
FROM codes
WHERE address_hmac = %(address_hmac)s
    AND purpose = %(purpose)s
FOR NO KEY UPDATE

-- name: set_code
-- Sets a code, which is valid for 10 minutes. The tries belong to the request: an e-mail that is sent
-- again allows no new ones.
UPDATE codes
SET hmac = %(hmac)s, expires_at = clock_timestamp() + interval '10 minutes'
WHERE address_hmac = %(address_hmac)s

-- name: try_code
-- Counts a try before anything is compared. The row's lock puts concurrent tries into an order, and
-- the sixth finds no row. A try is counted even if no code was sent to the address: otherwise the
-- time of the commit would reveal whether there is an account.
UPDATE codes
SET tries = tries + 1
WHERE address_hmac = %(address_hmac)s
    AND purpose = %(purpose)s
    AND account_id IS NOT DISTINCT FROM %(account_id)s
    AND tries < 5
RETURNING CASE WHEN expires_at > clock_timestamp() THEN hmac END

-- name: spend_code
-- Consumes a code. A transaction that waits here for another one finds the code gone.
UPDATE codes
SET hmac = NULL, expires_at = NULL
WHERE address_hmac = %(address_hmac)s
    AND hmac = %(hmac)s

-- name: forget_codes
-- Deletes requests that no longer count against a limit.
DELETE FROM codes
WHERE address_hmac IN (
    SELECT address_hmac
    FROM codes
    WHERE asked_at[cardinality(asked_at)] < now() - interval '25 hours'
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
