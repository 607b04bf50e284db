-- Holds that end by themselves: all but those that are being paid.
CREATE OR REPLACE VIEW ending_holds AS
SELECT bookings.event_id, bookings.id, bookings.seat_count, bookings.seat_ids, bookings.expires_at
FROM bookings
WHERE bookings.status = 'HELD'
    AND NOT EXISTS (
        SELECT 1
        FROM payments
        WHERE payments.event_id = bookings.event_id
            AND payments.booking_id = bookings.id
            AND payments.status = 'CREATED'
    );
