-- name: list_bookings
-- Lists bookings of an event after one of them, each with its money in the currency of its price. The join is
-- a look by an index, whatever the planner believes.
SELECT
    booking.id,
    booking.reference,
    booking.user_id,
    booking.status,
    booking.seat_count,
    booking.price_amount_minor,
    booking.price_currency,
    money.paid,
    money.refunded,
    booking.created_at
FROM (
    SELECT *
    FROM shown_bookings
    WHERE event_id = %(event_id)s
        AND id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
) AS booking
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(received_minor), 0)::bigint AS paid,
        coalesce(sum(refunded_minor), 0)::bigint AS refunded
    FROM payments
    WHERE payments.booking_id = booking.id
        AND event_id = %(event_id)s
        AND received_currency = booking.price_currency
) AS money
ORDER BY booking.id

-- name: list_tickets
-- Lists the tickets of bookings, each with how many of its codes let somebody in, and when the first one did.
SELECT
    booking_id,
    status,
    (SELECT count(at) FROM unnest(used_at) AS at),
    (SELECT min(at) FROM unnest(used_at) AS at)
FROM shown_tickets
WHERE event_id = %(event_id)s
    AND booking_id = ANY (%(booking_ids)s::bigint[])
