-- name: seat_blocks
-- Reads the maps of the seats of events, with a row of nulls for an event that has none.
SELECT asked.event_id, block, taken, sold, blocked
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint)
LEFT JOIN seat_blocks ON seat_blocks.event_id = asked.event_id

-- name: seat_holders
-- Reads the bookings that hold the given seats.
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
    FROM core_bookings
    WHERE core_bookings.event_id = claimed.event_id
        AND core_bookings.id = claimed.booking_id
    OFFSET 0
) AS found

-- name: forget_seats
-- Deletes the seats of events that get another plan; none was ever booked.
WITH forgotten AS (
    DELETE FROM seat_claims
    WHERE event_id = ANY (%(event_ids)s::bigint[])
)
DELETE FROM seat_blocks
WHERE event_id = ANY (%(event_ids)s::bigint[])

-- name: map_seats
-- Makes the maps of events with assigned seats, all of them free.
INSERT INTO seat_blocks (event_id, block)
SELECT event_id, generate_series(0, (seats - 1) / 1024)
FROM json_to_recordset(%(events)s::json) AS event (event_id bigint, seats integer)

-- name: save_seats
-- Takes and frees seats. A claim is taken only where nobody has the seat, and freed or passed on only
-- where its former holder has it. The claims that really changed are counted for each block: if any
-- did not, the count of the block becomes -1, which seat_blocks_agree refuses. It also refuses a map
-- that was written over a newer one, for the count is added to and the map is not.
WITH taken AS (
    INSERT INTO seat_claims AS claim (event_id, seat_id, booking_id)
    SELECT event_id, seat_id, after
    FROM json_to_recordset(%(taken)s::json) AS claimed (
        event_id bigint, seat_id integer, after bigint
    )
    ON CONFLICT ON CONSTRAINT seat_claims_pk DO UPDATE
    SET booking_id = excluded.booking_id
    WHERE claim.booking_id IS NULL
    RETURNING event_id, seat_id
),
moved AS (
    UPDATE seat_claims
    SET booking_id = former.after
    FROM (
        -- Each row is looked up by itself, or PostgreSQL may read all claims, of which it believes
        -- that there are few.
        SELECT own.row, moved.after
        FROM json_to_recordset(%(moved)s::json) AS moved (
            event_id bigint, seat_id integer, before bigint, after bigint
        )
        CROSS JOIN LATERAL (
            SELECT ctid AS row
            FROM seat_claims
            WHERE seat_claims.event_id = moved.event_id
                AND seat_claims.seat_id = moved.seat_id
                AND seat_claims.booking_id = moved.before
            OFFSET 0
        ) AS own
    ) AS former
    WHERE seat_claims.ctid = former.row
    RETURNING seat_claims.event_id, seat_claims.seat_id
),
counted AS (
    SELECT event_id, (seat_id - 1) / 1024 AS block, count(*) AS claims
    FROM (
        SELECT *
        FROM taken
        UNION ALL
        SELECT *
        FROM moved
    ) AS changed
    GROUP BY event_id, block
)
UPDATE seat_blocks
SET
    taken = decode(changed.taken, 'hex'),
    sold = decode(changed.sold, 'hex'),
    blocked = decode(changed.blocked, 'hex'),
    taken_count = CASE
        WHEN changed.claims = coalesce(counted.claims, 0) THEN taken_count + changed.change
        ELSE -1
    END
FROM json_to_recordset(%(blocks)s::json) AS changed (
    event_id bigint, block integer, taken text, sold text, blocked text, claims integer,
    change integer
)
LEFT JOIN counted USING (event_id, block)
WHERE seat_blocks.event_id = changed.event_id
    AND seat_blocks.block = changed.block
