-- name: events
-- Reads the inventories of events in the order of their numbers. The store appends the lock clause: in
-- this order two transactions cannot deadlock. A row that was waited for is read as it was committed
-- last. The columns are in the order of the fields of Stock.
SELECT
    event_id,
    capacity,
    name,
    status,
    epoch,
    catalogue_rev,
    verdict,
    sold,
    held,
    blocked,
    live_bookings,
    waiting,
    last_place,
    rev,
    next_expiry_at,
    closed_at,
    closing,
    frozen,
    refusal,
    cancelled_bookings,
    skip_fit_after_seconds,
    key,
    organizer_id,
    deleted,
    starts_at,
    sales_open_at,
    sales_close_at,
    price_amount_minor,
    price_currency,
    one_booking_per_user,
    plan_id,
    seat_type_prices,
    orphan_rule,
    refund_until,
    queue_since
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])
ORDER BY event_id

-- name: known_events
-- Lists the known ones of the events that were not locked: another transaction has locked these.
SELECT event_id
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])

-- name: request_audit
-- Marks an event for an audit, although its revision has not changed.
DELETE FROM audits
WHERE event_id = %(event_id)s

-- name: clock
-- Reads the time after the locks were taken, and draws ids for new bookings.
SELECT
    present(),
    ARRAY(
        SELECT nextval('booking_id')
        FROM generate_series(1, %(count)s::integer)
    )

-- name: ids
-- Draws ids for new bookings.
SELECT nextval('booking_id')
FROM generate_series(1, %(count)s)

-- name: time
-- Reads the time without drawing ids, for a decision without locks.
SELECT present(), '{}'::bigint[]

-- name: feed_position
-- Locks the position in the feed of the catalogue (shared) until the transaction ends.
SELECT epoch, sequence
FROM following
FOR SHARE

-- name: exclusive_bookings
-- Reads the live exclusive bookings of users: one look-up in a unique index for each.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT *
    FROM core_bookings
    WHERE core_bookings.event_id = asked.event_id
        AND core_bookings.user_id = asked.user_id
        AND exclusive
        AND status IN ('HELD', 'CONFIRMED')
    OFFSET 0
) AS found

-- name: offered_bookings
-- Reads the offers of users. The state is filtered outside the look-up, because PostgreSQL may otherwise
-- scan a whole partial index that its statistics say is almost empty.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT booking_id, state
    FROM waiting_list
    WHERE waiting_list.event_id + 0 = asked.event_id
        AND waiting_list.user_id = asked.user_id
    OFFSET 0
) AS offered
CROSS JOIN LATERAL (
    SELECT *
    FROM core_bookings
    WHERE core_bookings.event_id = asked.event_id
        AND core_bookings.id = offered.booking_id
    OFFSET 0
) AS found
WHERE offered.state = 'OFFERED'

-- name: users_bookings
-- Reads all live bookings of users. `+ 0` leaves only the index by user, so that the planner never scans
-- all bookings of an event, whatever its statistics say.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT *
    FROM core_bookings
    WHERE core_bookings.event_id + 0 = asked.event_id
        AND core_bookings.user_id = asked.user_id
        AND status IN ('HELD', 'CONFIRMED')
    OFFSET 0
) AS found

-- name: named_bookings
-- Reads bookings by their numbers, live or not.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, booking_id bigint)
CROSS JOIN LATERAL (
    SELECT *
    FROM core_bookings
    WHERE core_bookings.event_id = asked.event_id
        AND core_bookings.id = asked.booking_id
    OFFSET 0
) AS found

-- name: ended_holds
-- Reads the holds that ended by a time: for each event the earliest ones. A hold that is being paid ends
-- only once its payment has failed.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint)
CROSS JOIN LATERAL (
    SELECT *
    FROM core_bookings
    WHERE core_bookings.event_id = asked.event_id
        AND status = 'HELD'
        AND expires_at <= %(now)s::timestamptz
        AND NOT is_paying
    ORDER BY expires_at
    LIMIT %(limit)s::integer
) AS found

-- name: next_expiries
-- Reads for each event when the first hold ends that has not ended yet.
SELECT
    asked.event_id,
    (
        SELECT min(expires_at)
        FROM bookings
        WHERE bookings.event_id = asked.event_id
            AND status = 'HELD'
            AND expires_at > %(now)s::timestamptz
    ) AS expires_next_at
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint)

-- name: entries
-- Reads the waiting entries of users, with their positions.
SELECT
    asked.event_id,
    found.place,
    asked.user_id,
    found.seat_count,
    found.joined_at,
    found.blocked_since,
    -- All entries before the head have left, so only those that left behind it are counted.
    found.place - head.place + 1 - (
        SELECT count(*)
        FROM waiting_list
        WHERE waiting_list.event_id = asked.event_id
            AND waiting_list.state <> 'WAITING'
            AND waiting_list.place > head.place
            AND waiting_list.place < found.place
    ) AS position
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT place, seat_count, joined_at, blocked_since, state
    FROM waiting_list
    WHERE waiting_list.event_id + 0 = asked.event_id
        AND waiting_list.user_id = asked.user_id
    OFFSET 0
) AS found
CROSS JOIN LATERAL (
    SELECT place
    FROM waiting_list
    WHERE waiting_list.event_id = asked.event_id
        AND waiting_list.state = 'WAITING'
    ORDER BY place
    LIMIT 1
) AS head
WHERE found.state = 'WAITING'

-- name: pasts
-- Reads whether users ever had bookings or entries of events. Each look-up uses the index by user; as
-- EXISTS, PostgreSQL turned them into one hash of a whole table.
SELECT
    asked.event_id,
    asked.user_id,
    booked.ever,
    booked.exclusively,
    waited.ever
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT
        count(*) > 0 AS ever,
        coalesce(bool_or(exclusive), false) AS exclusively
    FROM (
        SELECT exclusive
        FROM bookings
        WHERE bookings.event_id + 0 = asked.event_id
            AND bookings.user_id = asked.user_id
        OFFSET 0
    ) AS own
) AS booked
CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS ever
    FROM (
        SELECT
        FROM waiting_list
        WHERE waiting_list.event_id + 0 = asked.event_id
            AND waiting_list.user_id = asked.user_id
        OFFSET 0
    ) AS own
) AS waited

-- name: users_holds
-- Reads the holds of users, and those of accounts that ended within the last hour.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT id
    FROM bookings
    WHERE bookings.event_id = asked.event_id
        AND bookings.user_id = asked.user_id
        AND seat_ids IS NOT NULL
        AND CASE
            WHEN status = 'HELD' THEN true
            WHEN status = 'CONFIRMED' OR expires_at IS NULL THEN false
            ELSE is_account(asked.user_id)
                AND coalesce(cancelled_at, expires_at) > present() - interval '1 hour'
        END
    OFFSET 0
) AS own
CROSS JOIN LATERAL (
    SELECT *
    FROM core_bookings
    WHERE core_bookings.event_id = asked.event_id
        AND core_bookings.id = own.id
    OFFSET 0
) AS found

-- name: buyers_holds
-- Reads the holds of users with assigned seats or without, and those of accounts that ended within the
-- last hour. `+ 0` leaves only the index by user, see users_bookings.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT id
    FROM bookings
    WHERE bookings.event_id + 0 = asked.event_id
        AND bookings.user_id = asked.user_id
        AND CASE
            WHEN status = 'HELD' THEN true
            WHEN status = 'CONFIRMED' OR expires_at IS NULL THEN false
            ELSE is_account(asked.user_id)
                AND coalesce(cancelled_at, expires_at) > present() - interval '1 hour'
        END
    OFFSET 0
) AS own
CROSS JOIN LATERAL (
    SELECT *
    FROM core_bookings
    WHERE core_bookings.event_id = asked.event_id
        AND core_bookings.id = own.id
    OFFSET 0
) AS found

-- name: booked_events
-- Lists the events that were ever booked.
SELECT asked.event_id
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint)
WHERE EXISTS (
    SELECT
    FROM bookings
    WHERE bookings.event_id = asked.event_id
)

-- name: line
-- Reads the first waiting entries of events, as many as may be served, and draws an id for each. If
-- smaller parties may pass the head (`fits` is not null), entries that fit are read, too.
SELECT
    found.*,
    NULL::bigint AS position,
    nextval('booking_id') AS booking_id
FROM json_to_recordset(%(asked)s::json) AS asked (
    event_id bigint, "limit" integer, capacity integer, fits integer
)
CROSS JOIN LATERAL (
    (
        SELECT event_id, place, user_id, seat_count, joined_at, blocked_since
        FROM waiting_list
        WHERE waiting_list.event_id = asked.event_id
            AND state = 'WAITING'
            AND seat_count <= asked.capacity
        ORDER BY place
        LIMIT asked."limit"
    )
    UNION
    (
        SELECT event_id, place, user_id, seat_count, joined_at, blocked_since
        FROM waiting_list
        WHERE waiting_list.event_id = asked.event_id
            AND state = 'WAITING'
            AND seat_count <= asked.fits
        ORDER BY place
        LIMIT CASE WHEN asked.fits IS NULL THEN 0 ELSE 1000 END
    )
    ORDER BY place
) AS found
