-- name: get_event
-- Reads an event with its counters, as they are at the returned time. The seats of an ended hold count
-- as free, unless users are waiting: then those get them.
SELECT
    event_id,
    name,
    organizer_id,
    rev,
    plan_id,
    closed_at IS NOT NULL AS is_closed,
    capacity,
    sold,
    held - CASE
        WHEN waiting = 0 AND next_expiry_at <= present() THEN (
            SELECT coalesce(sum(seat_count), 0)::integer
            FROM ending_holds
            WHERE event_id = %(event_id)s
                AND expires_at <= (SELECT present())
        )
        ELSE 0
    END AS held,
    blocked,
    price_amount_minor,
    price_currency,
    seat_type_prices,
    present() AS at
FROM inventory
WHERE event_id = %(event_id)s

-- name: count_bookings
-- Counts the bookings of an event by status.
SELECT status, count(*)
FROM shown_bookings
WHERE event_id = %(event_id)s
GROUP BY status

-- name: count_tickets
-- Counts the tickets of an event by status, as `shown_tickets` has it. The codes are grouped at once:
-- one look for each ticket takes a second for 100,000.
SELECT
    CASE
        WHEN bookings.status NOT IN ('HELD', 'CONFIRMED')
            OR inventory.closed_at IS NOT NULL
            OR (
                bookings.status = 'HELD'
                AND EXISTS (
                    SELECT 1
                    FROM ending_holds AS ended
                    WHERE ended.event_id = %(event_id)s
                        AND ended.id = bookings.id
                        AND ended.expires_at <= %(at)s
                )
            )
            THEN 'REVOKED'
        WHEN tickets.valid_at IS NULL THEN 'AWAITING_PAYMENT'
        WHEN codes.are_used THEN 'USED'
        ELSE 'VALID'
    END AS status,
    count(*)
FROM tickets
JOIN bookings ON bookings.event_id = tickets.event_id
    AND bookings.id = tickets.booking_id
JOIN inventory ON inventory.event_id = tickets.event_id
LEFT JOIN (
    SELECT ticket_id, bool_and(used_at IS NOT NULL) AS are_used
    FROM ticket_codes
    WHERE event_id = %(event_id)s
        AND revoked_at IS NULL
    GROUP BY ticket_id
) AS codes ON codes.ticket_id = tickets.id
WHERE tickets.event_id = %(event_id)s
GROUP BY 1

-- name: count_admissions
-- Counts the codes that let in somebody, and the scans that let in somebody else with one of them.
SELECT
    (
        SELECT count(*)
        FROM ticket_codes
        WHERE event_id = %(event_id)s
            AND used_at IS NOT NULL
    ),
    (
        SELECT count(*)
        FROM ticket_scans AS scan
        JOIN ticket_codes AS code USING (event_id, code_id)
        WHERE event_id = %(event_id)s
            AND scan.nonce <> code.used_nonce
    )

-- name: sum_payments
-- Adds up the money of an event by provider, the day (UTC) on which it came, and currency.
SELECT
    provider,
    (settled_at AT TIME ZONE 'UTC')::date AS day,
    received_currency,
    count(*),
    sum(refunded_minor)::bigint AS refunded,
    sum(refunding_minor - refunded_minor)::bigint AS refund_due,
    sum(received_minor - refunding_minor)::bigint AS net
FROM payments
WHERE event_id = %(event_id)s
    AND received_minor > 0
GROUP BY provider, day, received_currency

-- name: sum_by_seats
-- Adds up the money of an event by the types of the seats that were paid together, and currency.
-- `type_numbers` has a byte for each seat: the number of its type.
WITH seats AS (
    SELECT
        payments.id,
        received_currency,
        refunded_minor,
        refunding_minor,
        received_minor,
        get_byte(%(type_numbers)s, seat_id - 1) AS type
    FROM payments
    JOIN bookings ON bookings.event_id = payments.event_id
        AND bookings.id = payments.booking_id
    CROSS JOIN unnest(bookings.seat_ids) AS seat_id
    WHERE payments.event_id = %(event_id)s
        AND received_minor > 0
),
paid AS (
    SELECT
        received_currency,
        refunded_minor,
        refunding_minor,
        received_minor,
        array_agg(type ORDER BY type) AS types
    FROM seats
    GROUP BY id, received_currency, refunded_minor, refunding_minor, received_minor
)
SELECT
    types,
    received_currency,
    count(*),
    sum(refunded_minor)::bigint AS refunded,
    sum(refunding_minor - refunded_minor)::bigint AS refund_due,
    sum(received_minor - refunding_minor)::bigint AS net
FROM paid
GROUP BY types, received_currency

-- name: get_sold_seats
-- Reads the map of the seats that are sold.
SELECT coalesce(string_agg(sold, '' ORDER BY block), '') AS sold
FROM seat_blocks
WHERE event_id = %(event_id)s

-- name: sum_refunds
-- Adds up the refunds of an event by currency and status. Those of a closed event that are not written
-- yet are due.
SELECT currency, status, count(*), sum(amount_minor)::bigint
FROM (
    SELECT currency, status, amount_minor
    FROM refunds
    WHERE event_id = %(event_id)s
    UNION ALL
    SELECT received_currency, 'DUE', received_minor - refunding_minor
    FROM payments
    JOIN inventory USING (event_id)
    WHERE event_id = %(event_id)s
        AND closed_at IS NOT NULL
        AND received_minor > refunding_minor
) AS refund
GROUP BY currency, status
ORDER BY currency
