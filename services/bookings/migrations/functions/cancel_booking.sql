-- Cancels a live booking, frees its seats and gives them to those who wait; an offer that is declined
-- this way ends the waiting of its user. Gives no row for a booking that is over, or whose event is
-- closed, else the revision that freed the seats and how many were served. The caller has the event's
-- lock.
CREATE OR REPLACE FUNCTION cancel_booking(event bigint, booking bigint)
RETURNS TABLE (rev bigint, promoted integer)
LANGUAGE plpgsql
-- Plans are made once and while tables may still be empty: they must be those for full ones.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    freed_at bigint;
    moment timestamptz := present();
BEGIN
    IF (SELECT next_expiry_at <= moment FROM inventory WHERE event_id = event) THEN
        PERFORM promote(event);
    END IF;

    WITH cancelled AS (
        UPDATE bookings
        SET status = 'CANCELLED', cancelled_at = moment
        FROM inventory
        WHERE bookings.event_id = event
            AND bookings.id = booking
            AND bookings.status IN ('HELD', 'CONFIRMED')
            AND inventory.event_id = event
            AND inventory.closed_at IS NULL
        RETURNING
            bookings.user_id,
            bookings.seat_count,
            bookings.expires_at IS NOT NULL AS was_held
    ),
    declined AS (
        UPDATE waiting_list
        SET state = 'LEFT', changed_at = moment
        FROM cancelled
        WHERE waiting_list.event_id = event
            AND waiting_list.booking_id = booking
            AND waiting_list.state = 'OFFERED'
        RETURNING waiting_list.place
    ),
    freed AS (
        UPDATE inventory
        SET
            sold = sold - CASE WHEN was_held THEN 0 ELSE seat_count END,
            held = held - CASE WHEN was_held THEN seat_count ELSE 0 END,
            live_bookings = live_bookings - 1,
            rev = rev + 1
        FROM cancelled
        WHERE event_id = event
        RETURNING inventory.rev
    )
    INSERT INTO ledger (event_id, rev, kind, booking_id, place, user_id, seats, at)
    SELECT
        event, rev, 'CANCELLED', booking, (SELECT place FROM declined), user_id, -seat_count, moment
    FROM cancelled, freed
    RETURNING rev INTO freed_at;

    IF freed_at IS NOT NULL THEN
        RETURN QUERY SELECT freed_at, promote(event);
    END IF;
END;
$$;
