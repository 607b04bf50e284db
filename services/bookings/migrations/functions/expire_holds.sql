-- Expires the holds of an event that ended before a moment, and frees their seats. The caller has the
-- event's lock.
CREATE OR REPLACE FUNCTION expire_holds(event bigint, moment timestamptz)
RETURNS void
LANGUAGE sql
AS $$
    WITH expired AS (
        UPDATE bookings
        SET status = 'EXPIRED'
        WHERE event_id = event
            AND status = 'HELD'
            AND expires_at <= moment
        RETURNING id, user_id, seat_count
    ),
    left_over AS (
        UPDATE waiting_list
        SET state = 'EXPIRED', changed_at = moment
        FROM expired
        WHERE waiting_list.event_id = event
            AND waiting_list.booking_id = expired.id
            AND waiting_list.state = 'OFFERED'
        RETURNING waiting_list.booking_id, waiting_list.place
    ),
    numbered AS (
        SELECT expired.*, left_over.place, row_number() OVER (ORDER BY id) AS n
        FROM expired
        LEFT JOIN left_over ON left_over.booking_id = expired.id
    ),
    counted AS (
        UPDATE inventory
        SET
            held = held - freed.seats,
            live_bookings = live_bookings - freed.bookings,
            rev = rev + freed.bookings,
            next_expiry_at = (
                SELECT min(expires_at)
                FROM bookings
                WHERE event_id = event
                    AND status = 'HELD'
                    AND expires_at > moment
            )
        FROM (
            SELECT coalesce(sum(seat_count), 0)::integer AS seats, count(*)::integer AS bookings
            FROM expired
        ) AS freed
        WHERE event_id = event
        RETURNING rev - freed.bookings AS base_rev
    )
    INSERT INTO ledger (event_id, rev, kind, booking_id, place, user_id, seats, at)
    SELECT event, base_rev + n, 'EXPIRED', id, place, user_id, -seat_count, moment
    FROM numbered, counted
$$;
