-- name: events
-- Reads the inventories of events in the order of their numbers. The store adds how their rows are
-- locked: that order keeps two transactions from waiting for each other. A row that was waited for is
-- read as it was committed last. The columns are in the order of the fields of Stock.
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
    orphan_rule
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])
ORDER BY event_id

-- name: known_events
-- Tells apart events that are not known from those that another transaction has locked.
SELECT event_id
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])

-- name: doubt
-- Forgets that an event was found to agree with itself.
DELETE FROM audits
WHERE event_id = %(event_id)s

-- name: clock
-- Reads the time, once the locks are held, and draws ids for bookings.
SELECT
    present(),
    ARRAY(
        SELECT nextval('booking_id')
        FROM generate_series(1, %(count)s::integer)
    )

-- name: time
-- Reads the time where nothing may be drawn.
SELECT present(), '{}'::bigint[]

-- name: feed_position
-- Keeps the position in the feed of the catalogue until the transaction ends.
SELECT epoch, sequence
FROM following
FOR SHARE

-- name: exclusive_bookings
-- Reads the live bookings that keep users from another one: one look into a unique index for each.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT *
    FROM loaded_bookings
    WHERE loaded_bookings.event_id = asked.event_id
        AND loaded_bookings.user_id = asked.user_id
        AND exclusive
        AND status IN ('HELD', 'CONFIRMED')
    OFFSET 0
) AS found

-- name: offered_bookings
-- Reads the bookings that users were offered from the waiting list. The state is looked at outside, or
-- PostgreSQL may read a whole partial index, of which it believes that it is almost empty.
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
    FROM loaded_bookings
    WHERE loaded_bookings.event_id = asked.event_id
        AND loaded_bookings.id = offered.booking_id
    OFFSET 0
) AS found
WHERE offered.state = 'OFFERED'

-- name: users_bookings
-- Reads all live bookings of users. `+ 0` leaves the index by user alone to choose from: whatever the
-- planner knows of the table, it never goes through all bookings of an event.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT *
    FROM loaded_bookings
    WHERE loaded_bookings.event_id + 0 = asked.event_id
        AND loaded_bookings.user_id = asked.user_id
        AND status IN ('HELD', 'CONFIRMED')
    OFFSET 0
) AS found

-- name: named_bookings
-- Reads bookings by their numbers, whatever became of them.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, booking_id bigint)
CROSS JOIN LATERAL (
    SELECT *
    FROM loaded_bookings
    WHERE loaded_bookings.event_id = asked.event_id
        AND loaded_bookings.id = asked.booking_id
    OFFSET 0
) AS found

-- name: ended_holds
-- Reads the holds of events that ended by a moment: for each event the first ones.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint)
CROSS JOIN LATERAL (
    SELECT *
    FROM loaded_bookings
    WHERE loaded_bookings.event_id = asked.event_id
        AND status = 'HELD'
        AND expires_at <= %(now)s::timestamptz
    ORDER BY expires_at
    LIMIT %(limit)s::integer
) AS found

-- name: next_expiries
-- Reads when the first of the other holds ends.
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
-- Reads the entries of users who wait, with their positions.
SELECT
    asked.event_id,
    found.place,
    asked.user_id,
    found.seat_count,
    found.joined_at,
    found.blocked_since,
    waiting_position(asked.event_id, found.place) AS position
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT place, seat_count, joined_at, blocked_since, state
    FROM waiting_list
    WHERE waiting_list.event_id + 0 = asked.event_id
        AND waiting_list.user_id = asked.user_id
    OFFSET 0
) AS found
WHERE found.state = 'WAITING'

-- name: pasts
-- Reads what users once had of events. Each look stays one into the index by user: as EXISTS they became
-- one hash of a whole table.
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

-- name: seat_blocks
-- Reads the maps of the seats of events, with a row of nulls for an event that has none.
SELECT asked.event_id, block, taken, sold, blocked
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint)
LEFT JOIN seat_blocks USING (event_id)

-- name: seat_holders
-- Reads the bookings that have certain seats.
SELECT found.*
FROM (
    SELECT DISTINCT claimed.event_id, claimed.booking_id
    FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, seat_id integer)
    CROSS JOIN LATERAL (
        SELECT event_id, booking_id
        FROM seat_claims
        WHERE seat_claims.event_id = asked.event_id
            AND seat_claims.seat_id = asked.seat_id
            AND booking_id > 0
        OFFSET 0
    ) AS claimed
) AS claimed
CROSS JOIN LATERAL (
    SELECT *
    FROM loaded_bookings
    WHERE loaded_bookings.event_id = claimed.event_id
        AND loaded_bookings.id = claimed.booking_id
    OFFSET 0
) AS found

-- name: users_holds
-- Reads the seats that users hold, and those that accounts held until an hour ago at most.
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
    FROM loaded_bookings
    WHERE loaded_bookings.event_id = asked.event_id
        AND loaded_bookings.id = own.id
    OFFSET 0
) AS found

-- name: booked_events
-- Lists which events were ever booked.
SELECT asked.event_id
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint)
WHERE EXISTS (
    SELECT
    FROM bookings
    WHERE bookings.event_id = asked.event_id
)

-- name: line
-- Reads the first who wait for events, as many as may be served, and draws an id for each. Where
-- smaller parties may pass the head (`fits` is not null), those who would fit are read, too.
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
