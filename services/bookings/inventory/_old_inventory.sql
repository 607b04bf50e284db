-- name: open_inventory
-- Stores the first state that is heard of an event, a tombstone too; gives no row if there was one.
WITH opened AS (
    INSERT INTO inventory (
        event_id, capacity, closed_at, epoch, catalogue_rev, verdict, key, organizer_id, name, status,
        deleted, starts_at, sales_open_at, sales_close_at, price_amount_minor, price_currency,
        one_booking_per_user
    )
    VALUES (
        %(event_id)s, %(capacity)s, CASE WHEN %(closes)s THEN clock_timestamp() END, %(epoch)s,
        %(rev)s, 'APPLIED', %(key)s, %(organizer_id)s, %(name)s, %(status)s,
        %(deleted)s, %(starts_at)s, %(sales_open_at)s, %(sales_close_at)s, %(price_amount_minor)s,
        %(price_currency)s, %(one_booking_per_user)s
    )
    ON CONFLICT ON CONSTRAINT inventory_pk DO NOTHING
    RETURNING event_id, rev, capacity
)
INSERT INTO ledger (event_id, rev, kind, seats, capacity, at)
SELECT event_id, rev, 'OPENED', 0, capacity, clock_timestamp()
FROM opened
RETURNING rev

-- name: lock_inventory
-- Waits for the event's row and keeps it; what is read of the event afterwards holds until commit.
SELECT
FROM inventory
WHERE event_id = %(event_id)s
FOR NO KEY UPDATE

-- name: expire
-- Frees what was held too long, so that nothing is judged by it; the event is locked.
SELECT promote(event_id)
FROM inventory
WHERE event_id = %(event_id)s
    AND next_expiry_at <= present()

-- name: get_inventory
-- Reads what a new state is judged by. A statement of its own, after the lock: a snapshot from
-- before it would not see the last booking.
SELECT
    event_id,
    capacity,
    sold,
    held,
    rev,
    epoch,
    catalogue_rev,
    verdict,
    refusal,
    cancelled_bookings,
    status,
    one_booking_per_user,
    closed_at IS NOT NULL AS is_closed,
    EXISTS (SELECT FROM bookings WHERE bookings.event_id = inventory.event_id) AS was_booked
FROM inventory
WHERE event_id = %(event_id)s

-- name: refuse_state
-- Records that a revision was refused: it is never applied later, and the one before stays in force.
UPDATE inventory
SET
    epoch = %(epoch)s,
    catalogue_rev = %(rev)s,
    verdict = 'REFUSED',
    refusal = %(refusal)s,
    cancelled_bookings = 0
WHERE event_id = %(event_id)s

-- name: apply_state
-- Puts a state in force. A change of capacity and closing change the inventory, so they take a
-- revision and a ledger row; the rest does not.
WITH before AS (
    SELECT
        capacity,
        sold + held AS booked,
        live_bookings,
        waiting,
        %(closes)s AND closed_at IS NULL AS closes_now
    FROM inventory
    WHERE event_id = %(event_id)s
),
applied AS (
    UPDATE inventory
    SET
        rev = rev + (closes_now OR before.capacity <> %(capacity)s)::integer,
        capacity = %(capacity)s,
        sold = CASE WHEN closes_now THEN 0 ELSE sold END,
        held = CASE WHEN closes_now THEN 0 ELSE held END,
        live_bookings = CASE WHEN closes_now THEN 0 ELSE inventory.live_bookings END,
        waiting = CASE WHEN closes_now THEN 0 ELSE inventory.waiting END,
        next_expiry_at = CASE WHEN closes_now THEN NULL ELSE next_expiry_at END,
        closed_at = CASE WHEN closes_now THEN clock_timestamp() ELSE closed_at END,
        closing = closing OR closes_now AND before.live_bookings + before.waiting > 0,
        frozen = CASE WHEN frozen = 'CATALOGUE' THEN '' ELSE frozen END,
        epoch = %(epoch)s,
        catalogue_rev = %(rev)s,
        verdict = 'APPLIED',
        refusal = '',
        cancelled_bookings = CASE WHEN closes_now THEN before.live_bookings ELSE 0 END,
        key = %(key)s,
        organizer_id = %(organizer_id)s,
        name = %(name)s,
        status = %(status)s,
        deleted = %(deleted)s,
        starts_at = %(starts_at)s,
        sales_open_at = %(sales_open_at)s,
        sales_close_at = %(sales_close_at)s,
        price_amount_minor = %(price_amount_minor)s,
        price_currency = %(price_currency)s,
        one_booking_per_user = %(one_booking_per_user)s
    FROM before
    WHERE event_id = %(event_id)s
    RETURNING event_id, inventory.rev, inventory.capacity, cancelled_bookings
),
recorded AS (
    INSERT INTO ledger (event_id, rev, kind, seats, capacity, at)
    SELECT
        event_id,
        rev,
        CASE WHEN closes_now THEN 'CLOSED' ELSE 'RESIZED' END,
        CASE WHEN closes_now THEN -before.booked ELSE 0 END,
        applied.capacity,
        clock_timestamp()
    FROM applied, before
    WHERE closes_now OR before.capacity <> applied.capacity
)
SELECT rev, cancelled_bookings
FROM applied

-- name: promote
-- Gives free seats to those who wait for them; the event is locked.
SELECT promote(event_id)
FROM inventory
WHERE event_id = %(event_id)s
    AND waiting > 0

-- name: count_seats
-- Counts the seats of events, in one snapshot, and reads what tells who may know. One that is not
-- known here gives no row. A hold that has ended does not count, but where somebody waits its seats
-- are not for whoever comes.
SELECT
    event_id,
    capacity,
    sold + held - CASE
        WHEN waiting = 0 AND next_expiry_at <= present() THEN ended_seats(event_id, present())
        ELSE 0
    END AS booked,
    waiting,
    rev,
    status = 'DRAFT' AS is_draft,
    deleted AS is_deleted,
    organizer_id
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])

-- name: close_chunk
-- Writes a chunk of a closed event's bookings as CANCELLED and takes them out of the tallies, and ends
-- the waiting of as many. They read as CANCELLED already. Two workers never take the same event.
WITH closed AS (
    SELECT event_id, closed_at
    FROM inventory
    WHERE closing
    ORDER BY event_id
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
),
live AS (
    SELECT bookings.event_id, bookings.id, closed.closed_at
    FROM closed
    JOIN bookings USING (event_id)
    WHERE bookings.status IN ('HELD', 'CONFIRMED')
    ORDER BY bookings.id
    LIMIT %(chunk)s
),
cancelled AS (
    UPDATE bookings
    SET status = 'CANCELLED', cancelled_at = live.closed_at
    FROM live
    WHERE bookings.event_id = live.event_id
        AND bookings.id = live.id
        -- Looked at again once the row is ours: another worker may have been here since.
        AND bookings.status IN ('HELD', 'CONFIRMED')
    RETURNING bookings.user_id, (bookings.created_at AT TIME ZONE 'UTC')::date AS day
),
untallied AS (
    SELECT tally(array_agg(user_id), array_agg(day), array_agg(change))
    FROM (
        SELECT user_id, day, -count(*)::integer AS change
        FROM cancelled
        GROUP BY user_id, day
    ) AS changed
),
in_line AS (
    SELECT waiting_list.event_id, waiting_list.place, closed.closed_at
    FROM closed
    JOIN waiting_list USING (event_id)
    WHERE waiting_list.state IN ('WAITING', 'OFFERED')
    LIMIT %(chunk)s
),
sent_home AS (
    UPDATE waiting_list
    SET state = 'EXPIRED', changed_at = in_line.closed_at
    FROM in_line
    WHERE waiting_list.event_id = in_line.event_id
        AND waiting_list.place = in_line.place
),
finished AS (
    UPDATE inventory
    SET closing = false
    FROM closed
    WHERE inventory.event_id = closed.event_id
        AND (SELECT count(*) FROM live) < %(chunk)s
        AND (SELECT count(*) FROM in_line) < %(chunk)s
)
SELECT count(*) AS events
FROM closed, untallied
