-- Finds the live booking that keeps a user from another one of an event where `exclusive`; null if
-- there is none. As a subquery it stays one look into the index, whatever the planner knows.
CREATE OR REPLACE FUNCTION live_booking(event_id bigint, user_id text, exclusive boolean)
RETURNS bigint
LANGUAGE sql
STABLE
AS $$
    SELECT CASE
        WHEN exclusive THEN (
            SELECT bookings.id
            FROM bookings
            WHERE bookings.event_id = live_booking.event_id
                AND bookings.user_id = live_booking.user_id
                AND bookings.exclusive
                AND bookings.status IN ('HELD', 'CONFIRMED')
        )
    END
$$;
