-- Decides about one who asks for a ticket of an event that was sold out just now: accepts their offer,
-- tells where they wait already, books if seats have come free since and nobody waits for them, else
-- adds them to the waiting list. The caller has the event's lock.
CREATE OR REPLACE FUNCTION book_late(
    event bigint,
    user_id text,
    seats integer,
    uuid uuid,
    way text,
    exclusive_way boolean
)
RETURNS TABLE (
    outcome text,
    booking_id bigint,
    decided_at timestamptz,
    rev bigint,
    queue_position bigint,
    seats_left integer
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    stock inventory;
    entry waiting_list;
    moment timestamptz := present();
BEGIN
    SELECT * INTO stock FROM inventory WHERE event_id = event;
    IF stock.next_expiry_at <= moment THEN
        PERFORM promote(event);
        SELECT * INTO stock FROM inventory WHERE event_id = event;
    END IF;
    SELECT *
    INTO entry
    FROM waiting_list
    WHERE event_id = event
        AND waiting_list.user_id = book_late.user_id
        AND state IN ('WAITING', 'OFFERED');

    decided_at := moment;
    rev := stock.rev;
    outcome := event_objection(stock, moment);
    IF outcome IS NULL AND entry.state = 'OFFERED' THEN
        outcome := 'RESERVED';
        booking_id := entry.booking_id;
        rev := accept_offer(event, entry, moment);
        SELECT created_at INTO decided_at FROM bookings WHERE event_id = event AND id = entry.booking_id;
    ELSIF outcome IS NULL THEN
        booking_id := live_booking(
            event, book_late.user_id, coalesce(stock.one_booking_per_user, exclusive_way)
        );
        outcome := CASE
            WHEN booking_id IS NOT NULL THEN 'ALREADY_BOOKED'
            WHEN entry.state = 'WAITING' THEN 'ALREADY_WAITING'
            -- No seat will ever be enough for them.
            WHEN seats > greatest(stock.capacity, 1) THEN 'SOLD_OUT'
        END;
    END IF;

    IF outcome = 'SOLD_OUT' THEN
        seats_left := greatest(
            CASE WHEN stock.waiting > 0 THEN 0 ELSE stock.capacity - stock.sold - stock.held END, 0
        );
    ELSIF outcome = 'ALREADY_WAITING' THEN
        queue_position := waiting_position(event, entry.place);
    ELSIF outcome IS NULL AND stock.waiting = 0 AND stock.sold + stock.held + seats <= stock.capacity THEN
        SELECT made.outcome, made.booking_id, made.decided_at, made.rev
        INTO outcome, booking_id, decided_at, rev
        FROM reserve(
            ARRAY[event], ARRAY[book_late.user_id], ARRAY[seats], ARRAY[NULL]::text[],
            ARRAY[NULL]::text[], ARRAY[NULL]::bytea[], ARRAY[uuid], way, exclusive_way, false
        ) AS made;
    ELSIF outcome IS NULL THEN
        outcome := 'WAITING';
        queue_position := stock.waiting + 1;
        rev := stock.rev + 1;
        INSERT INTO waiting_list (
            event_id, place, user_id, seat_count, state, joined_at, changed_at
        )
        VALUES (event, stock.last_place + 1, book_late.user_id, seats, 'WAITING', moment, moment);
        INSERT INTO ledger (event_id, rev, kind, place, user_id, seats, at)
        VALUES (event, stock.rev + 1, 'JOINED', stock.last_place + 1, book_late.user_id, 0, moment);
        UPDATE inventory
        SET waiting = waiting + 1, last_place = last_place + 1, rev = inventory.rev + 1
        WHERE event_id = event;
    END IF;
    RETURN NEXT;
END;
$$;
