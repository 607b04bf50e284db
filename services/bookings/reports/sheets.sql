-- name: list_bookings
-- Lists bookings of an event after one of them, each with its money in the currency of its price and
-- its ticket. Each join is a look by an index, whatever the planner believes.
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
    ticket.status AS ticket_status,
    ticket.checked_in,
    ticket.checked_in_at,
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
        AND payments.event_id = booking.event_id
        AND received_currency = booking.price_currency
) AS money
LEFT JOIN LATERAL (
    SELECT
        status,
        (SELECT count(at) FROM unnest(used_at) AS at) AS checked_in,
        (SELECT min(at) FROM unnest(used_at) AS at) AS checked_in_at
    FROM shown_tickets
    WHERE shown_tickets.event_id = booking.event_id
        AND shown_tickets.booking_id = booking.id
    OFFSET 0
) AS ticket ON true
ORDER BY booking.id
