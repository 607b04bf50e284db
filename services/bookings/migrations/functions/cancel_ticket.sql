-- Cancels the booking that a user made for themselves by `reserve` or as a ticket, or takes them off
-- the waiting list, and serves those who wait with what comes free. Takes the event's lock.
-- Gives CANCELLED or LEFT with how many were served, ALREADY_CANCELLED if it is over, or
-- BOOKING_NOT_FOUND; `rev` is the revision at which that was true.
CREATE OR REPLACE FUNCTION cancel_ticket(event bigint, user_id text)
RETURNS TABLE (
    outcome text,
    booking_id bigint,
    rev bigint,
    promoted integer
)
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
    stock inventory;
    left_place bigint;
    moment timestamptz;
BEGIN
    PERFORM FROM inventory WHERE event_id = event FOR NO KEY UPDATE;
    SELECT * INTO stock FROM inventory WHERE event_id = event;
    moment := present();
    IF stock.next_expiry_at <= moment THEN
        PERFORM promote(event);
        SELECT * INTO stock FROM inventory WHERE event_id = event;
    END IF;

    booking_id := live_booking(event, cancel_ticket.user_id, true);
    IF booking_id IS NULL AND stock.one_booking_per_user IS NOT NULL THEN
        -- They may have several: the last one.
        SELECT max(own.id)
        INTO booking_id
        FROM (
            SELECT id
            FROM bookings
            WHERE event_id = event
                AND bookings.user_id = cancel_ticket.user_id
                AND status IN ('HELD', 'CONFIRMED')
            OFFSET 0
        ) AS own;
    END IF;
    IF booking_id IS NOT NULL THEN
        SELECT made.rev, made.promoted
        INTO rev, promoted
        FROM cancel_booking(event, booking_id) AS made;
        outcome := CASE WHEN rev IS NULL THEN 'ALREADY_CANCELLED' ELSE 'CANCELLED' END;
        rev := coalesce(rev, stock.rev);
        RETURN NEXT;
        RETURN;
    END IF;

    UPDATE waiting_list
    SET state = 'LEFT', changed_at = moment
    WHERE event_id = event
        AND waiting_list.user_id = cancel_ticket.user_id
        AND state = 'WAITING'
        AND stock.closed_at IS NULL
    RETURNING place INTO left_place;
    IF left_place IS NOT NULL THEN
        outcome := 'LEFT';
        UPDATE inventory
        SET waiting = waiting - 1, rev = inventory.rev + 1
        WHERE event_id = event
        RETURNING inventory.rev INTO rev;
        INSERT INTO ledger (event_id, rev, kind, place, user_id, seats, at)
        VALUES (event, rev, 'LEFT', left_place, cancel_ticket.user_id, 0, moment);
        promoted := promote(event);
    ELSE
        rev := stock.rev;
        outcome := CASE
            WHEN EXISTS (
                SELECT
                FROM bookings
                WHERE event_id = event
                    AND bookings.user_id = cancel_ticket.user_id
                    AND (exclusive OR stock.one_booking_per_user IS NOT NULL)
            ) OR EXISTS (
                SELECT
                FROM waiting_list
                WHERE event_id = event
                    AND waiting_list.user_id = cancel_ticket.user_id
            ) THEN 'ALREADY_CANCELLED'
            ELSE 'BOOKING_NOT_FOUND'
        END;
    END IF;
    RETURN NEXT;
END;
$$;
