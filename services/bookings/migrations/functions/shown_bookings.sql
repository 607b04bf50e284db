-- A booking as people see it: with its event and its seats, and CANCELLED as soon as its event is
-- closed, whether or not that has been written yet. The release before this one reads
-- `booking_details`, which has no seats.
CREATE OR REPLACE VIEW shown_bookings AS
SELECT
    bookings.event_id,
    bookings.id,
    bookings.reference,
    bookings.user_id,
    CASE
        WHEN bookings.status IN ('HELD', 'CONFIRMED') AND inventory.closed_at IS NOT NULL
            THEN 'CANCELLED'
        ELSE bookings.status
    END AS status,
    bookings.seat_count,
    bookings.price_amount_minor,
    bookings.price_currency,
    bookings.created_at,
    bookings.expires_at,
    CASE
        WHEN bookings.status IN ('HELD', 'CONFIRMED') THEN inventory.closed_at
        ELSE bookings.cancelled_at
    END AS cancelled_at,
    inventory.name AS event_name,
    inventory.starts_at AS event_starts_at,
    inventory.organizer_id AS event_organizer_id,
    coalesce(bookings.seat_ids, '{}') AS seat_ids
FROM bookings
JOIN inventory USING (event_id);
