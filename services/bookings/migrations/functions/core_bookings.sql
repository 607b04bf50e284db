-- Bookings as the core loads them: each with the place in the waiting list that it is offered to while
-- the offer stands, and whether a payment of a hold is under way. The release before this one reads
-- `placed_bookings`; `loaded_bookings` has no payments.
CREATE OR REPLACE VIEW core_bookings AS
SELECT
    bookings.event_id,
    bookings.id,
    bookings.reference,
    bookings.user_id,
    bookings.status,
    bookings.exclusive,
    bookings.seat_count,
    bookings.price_amount_minor,
    bookings.price_currency,
    bookings.created_at,
    bookings.expires_at,
    bookings.cancelled_at,
    waiting_list.place,
    coalesce(bookings.seat_ids, '{}') AS seat_ids,
    bookings.extended_at,
    payments.id IS NOT NULL AS is_paying
FROM bookings
LEFT JOIN waiting_list ON waiting_list.event_id = bookings.event_id
    AND waiting_list.booking_id = bookings.id
    AND waiting_list.state = 'OFFERED'
    AND bookings.status = 'HELD'
-- The payment under way; a join names the event to Citus. There is one at most: payments_one_under_way.
LEFT JOIN payments ON payments.event_id = bookings.event_id
    AND payments.booking_id = bookings.id
    AND payments.status = 'CREATED'
    AND bookings.status = 'HELD';
