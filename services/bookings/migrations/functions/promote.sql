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
