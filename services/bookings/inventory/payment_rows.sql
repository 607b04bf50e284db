-- name: lock_payments
-- Locks the payments under way of bookings. Workers lease them, and keep the provider's name of a charge,
-- without the lock of the event: `named_payments`, whose snapshot is newer than this lock, reads what they
-- have written, and until the commit they write no more.
SELECT
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, booking_id bigint)
CROSS JOIN LATERAL (
    SELECT
    FROM payments
    WHERE payments.event_id = asked.event_id
        AND payments.booking_id = asked.booking_id
        AND status = 'CREATED'
    OFFSET 0
    FOR NO KEY UPDATE
) AS locked

-- name: named_payments
-- Reads the payments of bookings. `+ 0` leaves only the index by booking, so that the planner never scans
-- all payments of an event.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, booking_id bigint)
CROSS JOIN LATERAL (
    SELECT *
    FROM core_payments
    WHERE core_payments.event_id + 0 = asked.event_id
        AND core_payments.booking_id = asked.booking_id
    OFFSET 0
) AS found

-- name: unrefunded_payments
-- Reads the next payments of events of which money is left.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, "limit" integer)
CROSS JOIN LATERAL (
    SELECT *
    FROM core_payments
    WHERE core_payments.event_id = asked.event_id
        AND received_minor > refunding_minor
    ORDER BY booking_id
    LIMIT asked."limit"
) AS found

-- name: named_refunds
-- Reads refunds by their ids.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, refund_id uuid)
CROSS JOIN LATERAL (
    SELECT
        event_id, id, payment_id, booking_id, amount_minor, currency, reason, status, created_at,
        refunded_at, provider_reference
    FROM refunds
    WHERE refunds.event_id = asked.event_id
        AND refunds.id = asked.refund_id
    OFFSET 0
) AS found

-- name: rival_bookings
-- Reads the live exclusive bookings of the users of bookings: an expired booking that is paid late is
-- not regained beside one.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, booking_id bigint)
CROSS JOIN LATERAL (
    SELECT user_id
    FROM bookings
    WHERE bookings.event_id = asked.event_id
        AND bookings.id = asked.booking_id
    OFFSET 0
) AS own
CROSS JOIN LATERAL (
    SELECT *
    FROM core_bookings
    WHERE core_bookings.event_id = asked.event_id
        AND core_bookings.user_id = own.user_id
        AND exclusive
        AND status IN ('HELD', 'CONFIRMED')
    OFFSET 0
) AS found

-- name: move_payments
-- Updates payments, which are locked if they were under way. Their sums are changed by the differences,
-- so the CHECKs would see the changes of a transaction without the lock.
UPDATE payments
SET
    status = changed.status,
    received_minor = payments.received_minor + changed.received_minor,
    received_currency = changed.received_currency,
    mismatched = changed.mismatched,
    refunding_minor = payments.refunding_minor + changed.refunding_minor,
    refunded_minor = payments.refunded_minor + changed.refunded_minor,
    provider_reference = changed.provider_reference,
    settled_at = changed.settled_at
FROM (
    -- Each row is looked up by itself, or PostgreSQL may read all payments, of which it believes that
    -- there are few.
    SELECT own.row, moved.*
    FROM json_to_recordset(%(payments)s::json) AS moved (
        event_id bigint, id uuid, status text, received_minor bigint, received_currency text,
        mismatched boolean, refunding_minor bigint, refunded_minor bigint,
        provider_reference text, settled_at timestamptz
    )
    CROSS JOIN LATERAL (
        SELECT ctid AS row
        FROM payments
        WHERE payments.event_id = moved.event_id
            AND payments.id = moved.id
        OFFSET 0
    ) AS own
) AS changed
WHERE payments.ctid = changed.row

-- name: add_payments
-- Stores new payments. It runs after `move_payments`: a booking has one payment under way at a time.
INSERT INTO payments (
    event_id, id, booking_id, user_id, provider, method, status, amount_minor, currency, created_at,
    received_minor, received_currency, mismatched, refunding_minor, refunded_minor,
    provider_reference, settled_at
)
SELECT
    event_id, id, booking_id, user_id, provider, method, status, amount_minor, currency, created_at,
    received_minor, received_currency, mismatched, refunding_minor, refunded_minor,
    provider_reference, settled_at
FROM json_populate_recordset(NULL::payments, %(payments)s::json)

-- name: lock_refunds
-- Locks refunds that will be updated. Workers lease refunds without the lock of the event, and a lease moves
-- the row: `save_refunds`, whose snapshot is newer than this lock, finds it at its last place.
SELECT
FROM json_to_recordset(%(moved)s::json) AS moved (event_id bigint, id uuid)
CROSS JOIN LATERAL (
    SELECT
    FROM refunds
    WHERE refunds.event_id = moved.event_id
        AND refunds.id = moved.id
    OFFSET 0
    FOR NO KEY UPDATE
) AS locked

-- name: save_refunds
-- Stores new refunds, and what has become of others, which are locked.
WITH moved AS (
    UPDATE refunds
    SET
        status = changed.status,
        refunded_at = changed.refunded_at,
        provider_reference = changed.provider_reference
    FROM (
        -- Looked up one by one, as above.
        SELECT own.row, moved.status, moved.refunded_at, moved.provider_reference
        FROM json_populate_recordset(NULL::refunds, %(moved)s::json) AS moved
        CROSS JOIN LATERAL (
            SELECT ctid AS row
            FROM refunds
            WHERE refunds.event_id = moved.event_id
                AND refunds.id = moved.id
            OFFSET 0
        ) AS own
    ) AS changed
    WHERE refunds.ctid = changed.row
)
INSERT INTO refunds (
    event_id, id, payment_id, booking_id, amount_minor, currency, reason, status, created_at,
    refunded_at, provider_reference
)
SELECT
    event_id, id, payment_id, booking_id, amount_minor, currency, reason, status, created_at,
    refunded_at, provider_reference
FROM json_populate_recordset(NULL::refunds, %(new)s::json)

-- name: add_provider_events
-- Stores events of providers that were worked on; repeated ones are known.
INSERT INTO provider_events (provider, id, event_id, payment_id, received_at)
SELECT provider, id, event_id, payment_id, %(now)s::timestamptz
FROM json_populate_recordset(NULL::provider_events, %(events)s::json)
ON CONFLICT ON CONSTRAINT provider_events_pk DO NOTHING

-- name: mark_refunded
-- Marks closed events whose payments all have their refunds.
UPDATE inventory
SET refunds_written = true
FROM (
    SELECT value::text::bigint AS event_id
    FROM json_array_elements(%(events)s::json)
) AS refunded
WHERE inventory.event_id = refunded.event_id
