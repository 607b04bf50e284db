-- name: get_reservation
-- Reads the reservation of seats with a reference. A hold that has ended reads as EXPIRED and one of
-- a closed event as CANCELLED, whether or not that has been written yet.
SELECT
    bookings.reference,
    bookings.id,
    bookings.event_id,
    bookings.user_id,
    bookings.seat_ids,
    CASE
        WHEN bookings.status IN ('HELD', 'CONFIRMED') AND inventory.closed_at IS NOT NULL
            THEN 'CANCELLED'
        WHEN EXISTS (
            SELECT 1
            FROM ending_holds AS ended
            WHERE ended.event_id = bookings.event_id
                AND ended.id = bookings.id
                AND ended.expires_at <= present()
        )
            THEN 'EXPIRED'
        ELSE bookings.status
    END AS status,
    bookings.price_amount_minor,
    bookings.price_currency,
    bookings.expires_at,
    inventory.organizer_id,
    inventory.rev
FROM bookings
JOIN inventory USING (event_id)
WHERE bookings.reference = %(reference)s
    AND bookings.seat_ids IS NOT NULL
