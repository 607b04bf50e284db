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
    queue_position bigint
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

    IF outcome = 'ALREADY_WAITING' THEN
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

-- Decides a batch of tickets as `reserve` decides seats, but whoever comes too late joins the waiting
-- list, and whoever has an offer accepts it, for as many seats as it was made for. The arrays, the
-- locks and the outcomes are those of `reserve`; besides, WAITING and ALREADY_WAITING tell the position,
-- and RESERVED how many seats.
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
    booked_seats integer
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
        IF event_ids[i] = ANY (locked) THEN
            SELECT ticket.outcome, ticket.booking_id, ticket.decided_at, ticket.rev, ticket.queue_position
            INTO outcome, booking_id, decided_at, rev, queue_position
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
                snapshot = jsonb_build_object('position', queue_position)
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

-- Tells why nothing of an event can be booked at a moment, whoever asks; null when it is on sale.
CREATE OR REPLACE FUNCTION event_objection(stock inventory, moment timestamptz)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT CASE
        WHEN stock.deleted OR stock.status = 'DRAFT' THEN 'EVENT_NOT_FOUND'
        WHEN stock.status <> 'PUBLISHED'
            OR stock.frozen <> ''
            OR moment < stock.sales_open_at
            OR moment >= stock.sales_close_at
            OR moment >= stock.starts_at THEN 'EVENT_NOT_BOOKABLE'
    END
$$;

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

-- Chooses who of those that wait for an event is next, by their places, if so many seats are free: from
-- the head for as long as seats suffice. A head that wants more waits for its seats, and all behind it
-- wait too, unless it has held them up for longer than the event allows: then those pass who fit. Who
-- wants more than the event has at all holds nobody up.
-- The caller has the event's lock.
CREATE OR REPLACE FUNCTION next_in_line(
    stock inventory,
    free integer,
    moment timestamptz,
    at_most integer
)
RETURNS bigint[]
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    chosen bigint[];
    unused integer;
    head waiting_list;
    entry waiting_list;
BEGIN
    SELECT coalesce(array_agg(place ORDER BY place), '{}'), free - coalesce(sum(seat_count), 0)
    INTO chosen, unused
    FROM (
        SELECT place, seat_count, sum(seat_count) OVER (ORDER BY place) AS wanted
        FROM (
            SELECT place, seat_count
            FROM waiting_list
            WHERE event_id = stock.event_id
                AND state = 'WAITING'
                AND seat_count <= stock.capacity
            ORDER BY place
            LIMIT least(free, at_most)
        ) AS front
    ) AS queue
    WHERE wanted <= free;

    IF unused = 0 OR stock.skip_fit_after_seconds IS NULL OR cardinality(chosen) = at_most THEN
        RETURN chosen;
    END IF;

    FOR entry IN
        SELECT *
        FROM waiting_list
        WHERE event_id = stock.event_id
            AND state = 'WAITING'
            AND seat_count <= stock.capacity
            AND place > coalesce(chosen[cardinality(chosen)], 0)
        ORDER BY place
    LOOP
        IF head IS NULL THEN
            head := entry;
            UPDATE waiting_list
            SET blocked_since = coalesce(blocked_since, moment)
            WHERE event_id = stock.event_id
                AND place = head.place
                AND blocked_since IS NULL;
            EXIT WHEN head.blocked_since IS NULL
                OR moment < head.blocked_since + make_interval(secs => stock.skip_fit_after_seconds);
        ELSIF entry.seat_count <= unused THEN
            chosen := chosen || entry.place;
            unused := unused - entry.seat_count;
            EXIT WHEN unused = 0 OR cardinality(chosen) = at_most;
        END IF;
    END LOOP;
    RETURN chosen;
END;
$$;

-- Gives the free seats of an event to those who wait for them. Whatever frees or adds seats, or takes
-- somebody out of the line, calls it in its own transaction, with the event's lock. Holds that have
-- ended are expired first.
--
-- A free event books at once; a priced one makes an offer, which is a hold with a time of its own that
-- ends at the latest with the sale. At most 1,000 are served at a time: while somebody waits nobody
-- else gets a seat, so the sweeper can serve the others. Gives how many were. Those with an account are
-- told, see notices.
CREATE OR REPLACE FUNCTION promote(event bigint)
RETURNS integer
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
    moment timestamptz := present();
    offer_seconds integer := coalesce(current_setting('bookings.offer_seconds', true), '7200');
    ends_at timestamptz;
    chosen bigint[];
BEGIN
    SELECT * INTO stock FROM inventory WHERE event_id = event;
    IF stock.next_expiry_at <= moment THEN
        PERFORM expire_holds(event, moment);
        SELECT * INTO stock FROM inventory WHERE event_id = event;
    END IF;
    IF stock.waiting = 0
        OR stock.sold + stock.held >= stock.capacity
        OR event_objection(stock, moment) IS NOT NULL
    THEN
        RETURN 0;
    END IF;

    chosen := next_in_line(stock, stock.capacity - stock.sold - stock.held, moment, 1000);
    IF cardinality(chosen) = 0 THEN
        RETURN 0;
    END IF;
    IF stock.price_amount_minor > 0 THEN
        ends_at := least(
            moment + make_interval(secs => offer_seconds), stock.starts_at, stock.sales_close_at
        );
    END IF;

    WITH served AS MATERIALIZED (
        SELECT
            waiting_list.place,
            user_id,
            seat_count,
            nextval('booking_id') AS booking_id,
            stock.rev + n AS rev
        FROM unnest(chosen) WITH ORDINALITY AS next (place, n)
        JOIN waiting_list ON waiting_list.event_id = event
            AND waiting_list.place = next.place
        ORDER BY n
    ),
    booked AS (
        INSERT INTO bookings (
            event_id, id, reference, user_id, status, exclusive, seat_count,
            price_amount_minor, price_currency, created_at, expires_at
        )
        SELECT
            event, booking_id, gen_random_uuid(), user_id,
            CASE WHEN ends_at IS NULL THEN 'CONFIRMED' ELSE 'HELD' END,
            coalesce(stock.one_booking_per_user, true), seat_count,
            stock.price_amount_minor * seat_count, stock.price_currency, moment, ends_at
        FROM served
    ),
    told AS (
        INSERT INTO notices (event_id, booking_id)
        SELECT event, booking_id
        FROM served
        WHERE is_account(user_id)
    ),
    moved AS (
        UPDATE waiting_list
        SET
            state = CASE WHEN ends_at IS NULL THEN 'SERVED' ELSE 'OFFERED' END,
            booking_id = served.booking_id,
            changed_at = moment
        FROM served
        WHERE waiting_list.event_id = event
            AND waiting_list.place = served.place
    ),
    counted AS (
        UPDATE inventory
        SET
            sold = sold + CASE WHEN ends_at IS NULL THEN taken.seats ELSE 0 END,
            held = held + CASE WHEN ends_at IS NULL THEN 0 ELSE taken.seats END,
            live_bookings = live_bookings + taken.bookings,
            waiting = waiting - taken.bookings,
            rev = inventory.rev + taken.bookings,
            next_expiry_at = least(next_expiry_at, ends_at)
        FROM (
            SELECT sum(seat_count)::integer AS seats, count(*)::integer AS bookings
            FROM served
        ) AS taken
        WHERE event_id = event
    )
    INSERT INTO ledger (event_id, rev, kind, booking_id, place, user_id, seats, at)
    SELECT
        event, rev, CASE WHEN ends_at IS NULL THEN 'SERVED' ELSE 'OFFERED' END, booking_id, place,
        user_id, seat_count, moment
    FROM served;
    RETURN cardinality(chosen);
END;
$$;

-- Decides a batch of bookings, in the order given, and stores all that follows from it: each gets all
-- its seats or none. A single booking is a batch of one. Called in READ COMMITTED, where every statement
-- below sees what was committed before it began; that is what makes locking first correct.
--
-- The arrays run in parallel; a null key means none. No two items may share caller and key, or ask
-- for different numbers of seats of one event. `way` is the operation that keys belong to, and
-- `exclusive_way` whether it gives a user one live booking where the event does not say.
-- Gives one row for each item: RESERVED, or why not; UNKNOWN_EVENT where the inventory has no row;
-- BUSY, if `skips_locked`, where somebody else has the event's lock and this call does not wait.
-- `rev` is the revision of the inventory at which the outcome was true; `uuids` are the public
-- references for those who get a seat.
CREATE OR REPLACE FUNCTION reserve(
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
    replayed boolean
)
LANGUAGE plpgsql
-- Plans are made once and while tables may still be empty: they must be those for full ones.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
#variable_conflict use_column
DECLARE
    -- Items that are still to be decided.
    wanted integer[];
    refused integer[];
    refused_outcomes text[];
    refused_booking_ids bigint[];
    refused_revs bigint[];
    -- Events that are full, or for whose seats others wait.
    full_events bigint[];
    -- Events that have a row, and whose row is ours.
    locked bigint[];
    -- When the first of their holds ends.
    expiry timestamptz;
    moment timestamptz;
BEGIN
    SELECT array_agg(i)
    INTO wanted
    FROM unnest(keys) WITH ORDINALITY AS asked (key, i)
    WHERE key IS NULL;

    IF cardinality(wanted) IS DISTINCT FROM cardinality(event_ids) THEN
        DECLARE
            claimed integer[];
        BEGIN
            -- A key is owned until this transaction ends. Nobody waits for one: a key that is in
            -- flight elsewhere is refused at once, so no two batches can wait for each other.
            SELECT array_agg(tried.i) FILTER (WHERE tried.is_ours)
            INTO claimed
            FROM (
                SELECT
                    i,
                    pg_try_advisory_xact_lock(
                        hashtextextended(
                            callers[i] || E'\x1f' || way || E'\x1f' || keys[i], 0
                        )
                    ) AS is_ours
                FROM generate_subscripts(keys, 1) AS i
                WHERE keys[i] IS NOT NULL
            ) AS tried;

            RETURN QUERY
            SELECT i, 'REQUEST_IN_PROGRESS', NULL::bigint, NULL::timestamptz, NULL::bigint, false
            FROM generate_subscripts(keys, 1) AS i
            WHERE keys[i] IS NOT NULL
                AND i <> ALL (coalesce(claimed, '{}'));

            -- A statement of its own: it sees what the owner before us committed.
            RETURN QUERY
            SELECT
                i,
                CASE WHEN stored.is_same THEN stored.outcome ELSE 'IDEMPOTENCY_KEY_REUSED' END,
                -- The answer is for those alone who asked for the same: a key can be guessed.
                CASE WHEN stored.is_same THEN stored.booking_id END,
                CASE WHEN stored.is_same THEN stored.decided_at END,
                CASE WHEN stored.is_same THEN stored.rev END,
                stored.is_same
            FROM unnest(claimed) AS i
            CROSS JOIN LATERAL (
                SELECT idempotency.*, fingerprint = fingerprints[i] AS is_same
                FROM idempotency
                WHERE caller = callers[i]
                    AND operation = way
                    AND key = keys[i]
                    AND idempotency.decided_at > clock_timestamp() - interval '24 hours'
                -- Keeps this one look into the index for each item.
                OFFSET 0
            ) AS stored;

            SELECT array_agg(i ORDER BY i)
            INTO wanted
            FROM unnest(wanted || claimed) AS i
            WHERE (
                SELECT true
                FROM idempotency
                WHERE caller = callers[i]
                    AND operation = way
                    AND key = keys[i]
                    AND idempotency.decided_at > clock_timestamp() - interval '24 hours'
            ) IS NULL;
        END;
    END IF;

    -- Most batches ask for no full event, and find that out by one look for each event.
    SELECT array_agg(event_id)
    INTO full_events
    FROM inventory
    WHERE event_id = ANY (event_ids)
        AND (sold + held >= capacity OR waiting > 0);

    -- A full event refuses without its lock, so without writing anything: the snapshot of this one
    -- statement yields both the outcome and the revision at which it was true. An answer that has to
    -- be kept for its key goes the long way.
    IF full_events IS NOT NULL THEN
        SELECT array_agg(i), array_agg(outcome), array_agg(booking_id), array_agg(rev)
        INTO refused, refused_outcomes, refused_booking_ids, refused_revs
        FROM (
            SELECT
                i,
                coalesce(
                    full_event.objection,
                    CASE WHEN existing_id IS NULL THEN 'SOLD_OUT' ELSE 'ALREADY_BOOKED' END
                ) AS outcome,
                CASE WHEN full_event.objection IS NULL THEN existing_id END AS booking_id,
                full_event.rev
            FROM unnest(wanted) AS asked (i)
            CROSS JOIN LATERAL (
                SELECT
                    inventory.rev,
                    event_objection(inventory, present()) AS objection,
                    coalesce(one_booking_per_user, exclusive_way) AS exclusive
                FROM inventory
                WHERE inventory.event_id = event_ids[i]
                    AND (sold + held >= capacity OR waiting > 0)
                    AND coalesce(next_expiry_at > present(), true)
                OFFSET 0
            ) AS full_event
            CROSS JOIN LATERAL (
                SELECT live_booking(event_ids[i], user_ids[i], full_event.exclusive) AS existing_id
            ) AS mine
            WHERE keys[i] IS NULL
                AND event_ids[i] = ANY (full_events)
        ) AS refusals;

        IF refused IS NOT NULL THEN
            RETURN QUERY
            SELECT *, false
            FROM unnest(
                refused,
                refused_outcomes,
                refused_booking_ids,
                array_fill(NULL::timestamptz, ARRAY[cardinality(refused)]),
                refused_revs
            );
            wanted := ARRAY(SELECT unnest(wanted) EXCEPT SELECT unnest(refused) ORDER BY 1);
        END IF;
    END IF;

    -- The lock: every change of these events waits here, and all batches come in the same order.
    IF skips_locked THEN
        SELECT array_agg(event_id), min(next_expiry_at)
        INTO locked, expiry
        FROM (
            SELECT event_id, next_expiry_at
            FROM inventory
            WHERE event_id = ANY (ARRAY(SELECT event_ids[i] FROM unnest(wanted) AS i))
            ORDER BY event_id
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS known;
    ELSE
        SELECT array_agg(event_id), min(next_expiry_at)
        INTO locked, expiry
        FROM (
            SELECT event_id, next_expiry_at
            FROM inventory
            WHERE event_id = ANY (ARRAY(SELECT event_ids[i] FROM unnest(wanted) AS i))
            ORDER BY event_id
            FOR NO KEY UPDATE
        ) AS known;
    END IF;

    moment := present();

    -- What was held too long is free for those who wait before anybody else is asked.
    IF expiry <= moment THEN
        PERFORM promote(event_id)
        FROM inventory
        WHERE event_id = ANY (locked)
            AND next_expiry_at <= moment;
    END IF;

    -- A statement of its own again: its snapshot is younger than the lock.
    RETURN QUERY
    WITH asked AS (
        -- `first` is the first item that asks for the same user and event; the others are its twins.
        SELECT
            i,
            event_ids[i] AS event_id,
            user_ids[i] AS user_id,
            seat_counts[i] AS seats,
            first_value(i) OVER (PARTITION BY event_ids[i], user_ids[i] COLLATE "C" ORDER BY i)
                AS first
        FROM unnest(wanted) AS i
    ),
    judged AS (
        SELECT
            found.*,
            CASE
                WHEN objection_to_event IS NOT NULL THEN objection_to_event
                WHEN existing_id IS NOT NULL THEN 'ALREADY_BOOKED'
                WHEN exclusive AND i <> first THEN 'TWIN'
            END AS objection
        FROM (
            SELECT
                asked.*,
                stock.rev AS base_rev,
                stock.left,
                stock.exclusive,
                stock.price_amount_minor,
                stock.price_currency,
                CASE
                    WHEN stock.event_id IS NOT NULL THEN stock.objection
                    WHEN skips_locked
                        AND EXISTS (SELECT FROM inventory WHERE inventory.event_id = asked.event_id)
                        THEN 'BUSY'
                    ELSE 'UNKNOWN_EVENT'
                END AS objection_to_event,
                CASE
                    WHEN stock.exclusive THEN (
                        SELECT bookings.id
                        FROM bookings
                        WHERE bookings.event_id = asked.event_id
                            AND bookings.user_id = asked.user_id
                            AND bookings.exclusive
                            AND bookings.status IN ('HELD', 'CONFIRMED')
                    )
                END AS existing_id
            FROM asked
            LEFT JOIN LATERAL (
                SELECT
                    inventory.*,
                    CASE WHEN waiting > 0 THEN 0 ELSE capacity - sold - held END / asked.seats
                        AS left,
                    coalesce(one_booking_per_user, exclusive_way) AS exclusive,
                    event_objection(inventory, moment) AS objection
                FROM inventory
                WHERE inventory.event_id = asked.event_id
                    -- A row that is not ours was locked by somebody, or has appeared since.
                    AND inventory.event_id = ANY (locked)
            ) AS stock ON true
            OFFSET 0
        ) AS found
    ),
    queued AS MATERIALIZED (
        -- `place` counts those who may have seats if there are any, up to and with this item; as
        -- they all want as many, the first `left` of them get theirs.
        SELECT
            judged.*,
            count(*) FILTER (WHERE objection IS NULL)
                OVER (PARTITION BY event_id ORDER BY i ROWS UNBOUNDED PRECEDING) AS place
        FROM judged
    ),
    decided AS MATERIALIZED (
        SELECT
            i,
            first,
            event_id,
            user_id,
            exclusive,
            seats,
            price_amount_minor,
            price_currency,
            base_rev + least(place, queued.left) AS rev,
            CASE
                WHEN objection = 'TWIN' THEN
                    CASE
                        WHEN (SELECT twin.place FROM queued AS twin WHERE twin.i = queued.first)
                            <= queued.left
                            THEN 'ALREADY_BOOKED'
                        ELSE 'SOLD_OUT'
                    END
                WHEN objection IS NOT NULL THEN objection
                WHEN place > queued.left THEN 'SOLD_OUT'
                ELSE 'RESERVED'
            END AS outcome,
            CASE
                WHEN objection IS NULL AND place <= queued.left THEN nextval('booking_id')
                ELSE existing_id
            END AS booking_id
        FROM queued
    ),
    booked AS (
        INSERT INTO bookings (
            event_id, id, reference, user_id, status, exclusive, seat_count,
            price_amount_minor, price_currency, created_at
        )
        SELECT
            event_id, booking_id, uuids[i], user_id, 'CONFIRMED', exclusive, seats,
            price_amount_minor * seats, price_currency, moment
        FROM decided
        WHERE outcome = 'RESERVED'
    ),
    counted AS (
        UPDATE inventory
        SET
            sold = sold + taken.seats,
            live_bookings = live_bookings + taken.bookings,
            rev = inventory.rev + taken.bookings
        FROM (
            SELECT event_id, sum(seats)::integer AS seats, count(*)::integer AS bookings
            FROM decided
            WHERE outcome = 'RESERVED'
            GROUP BY event_id
        ) AS taken
        WHERE inventory.event_id = taken.event_id
    ),
    recorded AS (
        INSERT INTO ledger (event_id, rev, kind, booking_id, user_id, seats, at)
        SELECT event_id, rev, 'RESERVED', booking_id, user_id, seats, moment
        FROM decided
        WHERE outcome = 'RESERVED'
    ),
    answered AS (
        SELECT
            i,
            outcome,
            CASE
                WHEN outcome = 'ALREADY_BOOKED' AND booking_id IS NULL THEN
                    (SELECT twin.booking_id FROM decided AS twin WHERE twin.i = decided.first)
                ELSE booking_id
            END AS booking_id,
            rev,
            event_id
        FROM decided
    ),
    remembered AS (
        INSERT INTO idempotency (
            caller, operation, key, fingerprint, outcome, event_id, booking_id, rev, decided_at
        )
        SELECT
            callers[i], way, keys[i], fingerprints[i], outcome, event_id, booking_id, rev,
            moment
        FROM answered
        WHERE keys[i] IS NOT NULL
            -- A hidden event must look like none, which is not remembered either.
            AND outcome NOT IN ('BUSY', 'UNKNOWN_EVENT', 'EVENT_NOT_FOUND')
        ON CONFLICT ON CONSTRAINT idempotency_pk DO UPDATE
        -- Only a key past its 24 hours can be here already.
        SET
            fingerprint = excluded.fingerprint,
            outcome = excluded.outcome,
            event_id = excluded.event_id,
            booking_id = excluded.booking_id,
            rev = excluded.rev,
            snapshot = NULL,
            decided_at = excluded.decided_at
    )
    SELECT i, outcome, booking_id, moment, rev, false
    FROM answered;
END;
$$;

-- Returns the position of the waiting entry at a place. All entries before the head have left, so only
-- those that left behind it are counted.
CREATE OR REPLACE FUNCTION waiting_position(event bigint, at_place bigint)
RETURNS bigint
LANGUAGE sql
STABLE
AS $$
    SELECT at_place - head.place + 1 - (
        SELECT count(*)
        FROM waiting_list
        WHERE waiting_list.event_id = event
            AND waiting_list.state <> 'WAITING'
            AND waiting_list.place > head.place
            AND waiting_list.place < at_place
    )
    FROM (
        SELECT waiting_list.place
        FROM waiting_list
        WHERE waiting_list.event_id = event
            AND waiting_list.state = 'WAITING'
        ORDER BY waiting_list.place
        LIMIT 1
    ) AS head
$$;
