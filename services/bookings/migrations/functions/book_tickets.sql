-- Decides a batch of tickets as `reserve` decides seats, but whoever comes too late joins the waiting
-- list, and whoever has an offer accepts it, for as many seats as it was made for. The arrays, the
-- locks and the outcomes are those of `reserve`; besides, WAITING and ALREADY_WAITING tell the position,
-- RESERVED how many seats, and SOLD_OUT how many are left.
CREATE OR REPLACE FUNCTION book_tickets(
    event_ids bigint[],
    user_ids text[],
    seat_counts integer[],
    callers text[],
    keys text[],
    fingerprints bytea[],
    uuids uuid[],
    way text,
    exclusive_way boolean,
    skips_locked boolean
)
RETURNS TABLE (
    item integer,
    outcome text,
    booking_id bigint,
    decided_at timestamptz,
    rev bigint,
    replayed boolean,
    queue_position bigint,
    booked_seats integer,
    seats_left integer
)
LANGUAGE plpgsql
-- Plans are made once and while tables may still be empty: they must be those for full ones.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_variable
DECLARE
    decided record;
    late integer[] := '{}';
    locked bigint[];
    i integer;
BEGIN
    -- All at once and in order, as later locks come in the order of the items.
    IF NOT skips_locked THEN
        PERFORM
        FROM inventory
        WHERE inventory.event_id = ANY (event_ids)
        ORDER BY inventory.event_id
        FOR NO KEY UPDATE;
    END IF;

    FOR decided IN
        SELECT *
        FROM reserve(
            event_ids, user_ids, seat_counts, callers, keys, fingerprints, uuids, way,
            exclusive_way, skips_locked
        )
    LOOP
        IF NOT decided.replayed AND decided.outcome IN ('SOLD_OUT', 'ALREADY_BOOKED') THEN
            late := late || decided.item;
        ELSE
            item := decided.item;
            outcome := decided.outcome;
            booking_id := decided.booking_id;
            decided_at := decided.decided_at;
            rev := decided.rev;
            replayed := decided.replayed;
            queue_position := NULL;
            booked_seats := seat_counts[item];
            seats_left := decided.seats_left;
            IF replayed THEN
                SELECT (snapshot ->> 'position')::bigint
                INTO queue_position
                FROM idempotency
                WHERE caller = callers[item]
                    AND operation = way
                    AND key = keys[item];
                SELECT bookings.seat_count
                INTO booked_seats
                FROM bookings
                WHERE bookings.event_id = event_ids[item]
                    AND bookings.id = booking_id;
            END IF;
            RETURN NEXT;
        END IF;
    END LOOP;

    -- What was refused without its lock is decided anew under it. Who has it is not waited for, unless
    -- it is ours already.
    SELECT array_agg(ours.event_id)
    INTO locked
    FROM (
        SELECT inventory.event_id
        FROM inventory
        WHERE inventory.event_id = ANY (ARRAY(SELECT event_ids[l] FROM unnest(late) AS l))
        ORDER BY inventory.event_id
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS ours;

    FOR i IN SELECT l FROM unnest(late) AS l ORDER BY l LOOP
        item := i;
        replayed := false;
        seats_left := NULL;
        IF event_ids[i] = ANY (locked) THEN
            SELECT
                ticket.outcome,
                ticket.booking_id,
                ticket.decided_at,
                ticket.rev,
                ticket.queue_position,
                ticket.seats_left
            INTO outcome, booking_id, decided_at, rev, queue_position, seats_left
            FROM book_late(
                event_ids[i], user_ids[i], seat_counts[i], uuids[i], way, exclusive_way
            ) AS ticket;
            SELECT bookings.seat_count
            INTO booked_seats
            FROM bookings
            WHERE bookings.event_id = event_ids[i]
                AND bookings.id = booking_id;
            UPDATE idempotency
            SET
                outcome = book_tickets.outcome,
                booking_id = book_tickets.booking_id,
                rev = book_tickets.rev,
                snapshot = jsonb_build_object(
                    'position', queue_position, 'seats_left', seats_left
                )
            WHERE caller = callers[i]
                AND operation = way
                AND key = keys[i];
        ELSE
            outcome := 'BUSY';
            booking_id := NULL;
            decided_at := NULL;
            rev := NULL;
            queue_position := NULL;
            booked_seats := NULL;
        END IF;
        RETURN NEXT;
    END LOOP;
END;
$$;
