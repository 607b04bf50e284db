-- name: open
-- Stores a new event. If another replica has stored it meanwhile, this is a unique violation.
INSERT INTO inventory (
    event_id, capacity, sold, held, blocked, live_bookings, waiting, last_place, rev,
    next_expiry_at, closed_at, closing, frozen, epoch, catalogue_rev, verdict, refusal,
    cancelled_bookings, skip_fit_after_seconds, key, organizer_id, name, status, deleted, starts_at, sales_open_at,
    sales_close_at, price_amount_minor, price_currency, one_booking_per_user, plan_id,
    seat_type_prices, orphan_rule, refund_until, queue_since
)
SELECT
    event_id, capacity, sold, held, blocked, live_bookings, waiting, last_place, rev,
    next_expiry_at, closed_at, closing, frozen, epoch, catalogue_rev, verdict, refusal,
    cancelled_bookings, skip_fit_after_seconds, key, organizer_id, name, status, deleted, starts_at, sales_open_at,
    sales_close_at, price_amount_minor, price_currency, one_booking_per_user, plan_id,
    seat_type_prices, orphan_rule, refund_until, queue_since
FROM json_populate_recordset(NULL::inventory, %(stocks)s::json)

-- name: put_in_force
-- Stores the changes by a state of the catalogue, a freeze or a setting, with the counters.
UPDATE inventory
SET
    capacity = changed.capacity,
    sold = inventory.sold + changed.sold,
    held = inventory.held + changed.held,
    blocked = inventory.blocked + changed.blocked,
    live_bookings = inventory.live_bookings + changed.live_bookings,
    waiting = inventory.waiting + changed.waiting,
    last_place = inventory.last_place + changed.last_place,
    rev = inventory.rev + changed.rev,
    next_expiry_at = changed.next_expiry_at,
    closed_at = changed.closed_at,
    closing = changed.closing,
    frozen = changed.frozen,
    epoch = changed.epoch,
    catalogue_rev = changed.catalogue_rev,
    verdict = changed.verdict,
    refusal = changed.refusal,
    cancelled_bookings = changed.cancelled_bookings,
    skip_fit_after_seconds = changed.skip_fit_after_seconds,
    key = changed.key,
    organizer_id = changed.organizer_id,
    name = changed.name,
    status = changed.status,
    deleted = changed.deleted,
    starts_at = changed.starts_at,
    sales_open_at = changed.sales_open_at,
    sales_close_at = changed.sales_close_at,
    price_amount_minor = changed.price_amount_minor,
    price_currency = changed.price_currency,
    one_booking_per_user = changed.one_booking_per_user,
    plan_id = changed.plan_id,
    seat_type_prices = changed.seat_type_prices,
    orphan_rule = changed.orphan_rule,
    refund_until = changed.refund_until,
    queue_since = changed.queue_since
FROM json_populate_recordset(NULL::inventory, %(stocks)s::json) AS changed
WHERE inventory.event_id = changed.event_id

-- name: save
-- Stores the decisions on locked events: new and changed bookings, the ledger and the counters. The
-- counters are updated by their differences, so the CHECKs would see the changes of a transaction
-- without the lock.
WITH moved_bookings AS (
    UPDATE bookings
    SET
        status = former.status,
        expires_at = former.expires_at,
        cancelled_at = former.cancelled_at,
        extended_at = former.extended_at
    FROM (
        -- Each row is looked up by itself, and by rows, which only bookings_pk can do: PostgreSQL may
        -- read all bookings by another index otherwise, for it believes that there are few.
        SELECT own.row, moved.*
        FROM json_to_recordset(%(moved_bookings)s::json) AS moved (
            event_id bigint, id bigint, status text, expires_at timestamptz,
            cancelled_at timestamptz, extended_at timestamptz
        )
        CROSS JOIN LATERAL (
            SELECT ctid AS row
            FROM bookings
            WHERE (bookings.event_id, bookings.id) >= (moved.event_id, moved.id)
                AND (bookings.event_id, bookings.id) <= (moved.event_id, moved.id)
            OFFSET 0
        ) AS own
    ) AS former
    WHERE bookings.ctid = former.row
    RETURNING bookings.id
),
new_bookings AS (
    INSERT INTO bookings (
        event_id, id, reference, user_id, status, exclusive, seat_count, price_amount_minor,
        price_currency, created_at, expires_at, cancelled_at, seat_ids, extended_at
    )
    SELECT
        event_id, id, reference, user_id, status, exclusive, seat_count, price_amount_minor,
        price_currency, created_at, expires_at, cancelled_at, nullif(seat_ids, '{}'), extended_at
    FROM json_to_recordset(%(new_bookings)s::json) AS booking (
        event_id bigint, id bigint, reference uuid, user_id text, status text, exclusive boolean,
        seat_count integer, price_amount_minor bigint, price_currency text, created_at timestamptz,
        expires_at timestamptz, cancelled_at timestamptz, seat_ids integer[], extended_at timestamptz
    )
    -- After the others: a user may have one of them no more.
    WHERE (SELECT count(*) FROM moved_bookings) >= 0
),
counted AS (
    UPDATE inventory
    SET
        sold = inventory.sold + changed.sold,
        held = inventory.held + changed.held,
        live_bookings = inventory.live_bookings + changed.live_bookings,
        waiting = inventory.waiting + changed.waiting,
        last_place = inventory.last_place + changed.last_place,
        rev = inventory.rev + changed.rev,
        next_expiry_at = changed.next_expiry_at
    FROM json_to_recordset(%(counters)s::json) AS changed (
        event_id bigint, sold integer, held integer, live_bookings integer, waiting integer,
        last_place bigint, rev bigint, next_expiry_at timestamptz
    )
    WHERE inventory.event_id = changed.event_id
)
INSERT INTO ledger (event_id, rev, kind, booking_id, place, user_id, seats, capacity, at, seat_ids)
SELECT
    event_id, rev, kind, booking_id, place, user_id, seats, capacity, %(now)s::timestamptz, seat_ids
FROM json_to_recordset(%(ledger)s::json) AS entry (
    event_id bigint, rev bigint, kind text, booking_id bigint, place bigint, user_id text,
    seats integer, capacity integer, seat_ids integer[]
)

-- name: save_line
-- Stores the changes of the waiting list: new and changed entries, heads that block the line, and the
-- notices to send.
WITH moved AS (
    UPDATE waiting_list
    SET
        state = entry.state,
        booking_id = coalesce(entry.booking_id, waiting_list.booking_id),
        changed_at = %(now)s::timestamptz
    FROM json_to_recordset(%(moved)s::json) AS entry (
        event_id bigint, place bigint, state text, booking_id bigint
    )
    WHERE waiting_list.event_id = entry.event_id
        AND waiting_list.place = entry.place
    RETURNING waiting_list.place
),
joined AS (
    INSERT INTO waiting_list (
        event_id, place, user_id, seat_count, state, booking_id, joined_at, changed_at,
        blocked_since
    )
    SELECT
        event_id, place, user_id, seat_count, state, booking_id, joined_at, %(now)s::timestamptz,
        blocked_since
    FROM json_to_recordset(%(joined)s::json) AS entry (
        event_id bigint, place bigint, user_id text, seat_count integer, state text,
        booking_id bigint, joined_at timestamptz, blocked_since timestamptz
    )
    -- After the others: a user may have left and joins again.
    WHERE (SELECT count(*) FROM moved) >= 0
),
blocked AS (
    UPDATE waiting_list
    SET blocked_since = %(now)s::timestamptz
    FROM json_to_recordset(%(blocked)s::json) AS entry (event_id bigint, place bigint)
    WHERE waiting_list.event_id = entry.event_id
        AND waiting_list.place = entry.place
)
INSERT INTO notices (event_id, booking_id)
SELECT event_id, booking_id
FROM json_to_recordset(%(notices)s::json) AS notice (event_id bigint, booking_id bigint)
