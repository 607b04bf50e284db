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
-- references for those who get a seat. `seats_left` is for those who asked for more than there are.
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
    replayed boolean,
    seats_left integer
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
            SELECT
                i,
                'REQUEST_IN_PROGRESS',
                NULL::bigint,
                NULL::timestamptz,
                NULL::bigint,
                false,
                NULL::integer
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
                stored.is_same,
                CASE WHEN stored.is_same THEN (stored.snapshot ->> 'seats_left')::integer END
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
            SELECT
                i,
                outcome,
                booking_id,
                NULL::timestamptz,
                rev,
                false,
                CASE WHEN outcome = 'SOLD_OUT' AND seat_counts[i] > 1 THEN 0 END
            FROM unnest(refused, refused_outcomes, refused_booking_ids, refused_revs)
                AS refusal (i, outcome, booking_id, rev);
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
                stock.free,
                stock.free / asked.seats AS left,
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
                    CASE WHEN waiting > 0 THEN 0 ELSE capacity - sold - held END AS free,
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
            END AS booking_id,
            greatest(queued.free - queued.left * seats, 0) AS seats_left
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
            event_id,
            CASE WHEN outcome = 'SOLD_OUT' AND seats > 1 THEN seats_left END AS seats_left
        FROM decided
    ),
    remembered AS (
        INSERT INTO idempotency (
            caller, operation, key, fingerprint, outcome, event_id, booking_id, rev, snapshot,
            decided_at
        )
        SELECT
            callers[i], way, keys[i], fingerprints[i], outcome, event_id, booking_id, rev,
            CASE WHEN seats_left IS NOT NULL THEN jsonb_build_object('seats_left', seats_left) END,
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
            snapshot = excluded.snapshot,
            decided_at = excluded.decided_at
    )
    SELECT i, outcome, booking_id, moment, rev, false, seats_left
    FROM answered;
END;
$$;
