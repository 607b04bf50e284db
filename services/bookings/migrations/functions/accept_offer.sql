-- Confirms the booking that somebody was offered from the waiting list; gives the revision. The caller
-- has the event's lock and has seen that the offer still stands.
CREATE OR REPLACE FUNCTION accept_offer(event bigint, entry waiting_list, moment timestamptz)
RETURNS bigint
LANGUAGE sql
AS $$
    WITH confirmed AS (
        UPDATE bookings
        SET status = 'CONFIRMED', expires_at = NULL
        WHERE event_id = event
            AND id = entry.booking_id
            AND status = 'HELD'
        RETURNING id, user_id, seat_count
    ),
    served AS (
        UPDATE waiting_list
        SET state = 'SERVED', changed_at = moment
        FROM confirmed
        WHERE waiting_list.event_id = event
            AND waiting_list.place = entry.place
    ),
    counted AS (
        UPDATE inventory
        SET held = held - seat_count, sold = sold + seat_count, rev = rev + 1
        FROM confirmed
        WHERE event_id = event
        RETURNING rev
    )
    INSERT INTO ledger (event_id, rev, kind, booking_id, place, user_id, seats, at)
    SELECT event, rev, 'ACCEPTED', id, entry.place, user_id, 0, moment
    FROM confirmed, counted
    RETURNING rev
$$;
