-- Returns whether all stored data of an event's assigned seats agrees: the seats of its live bookings,
-- the claims, the bits of the map, and the replayed ledger. Those of a closed event are being deleted.
CREATE OR REPLACE FUNCTION seats_agree(event bigint)
RETURNS boolean
LANGUAGE sql
STABLE
AS $$
    WITH booked AS (
        SELECT unnest(seat_ids) AS seat_id, id AS holder, status = 'CONFIRMED' AS is_sold
        FROM bookings
        WHERE event_id = event
            AND status IN ('HELD', 'CONFIRMED')
    ),
    claimed AS (
        SELECT seat_id, booking_id AS holder
        FROM seat_claims
        WHERE event_id = event
            AND booking_id IS NOT NULL
    ),
    mapped AS (
        SELECT
            1024 * block + place + 1 AS seat_id,
            get_bit(sold, place) = 1 AS is_sold,
            get_bit(blocked, place) = 1 AS is_blocked
        FROM seat_blocks
        CROSS JOIN generate_series(0, 1023) AS place
        WHERE event_id = event
            AND 1 IN (get_bit(taken, place), get_bit(sold, place), get_bit(blocked, place))
    ),
    replayed AS (
        SELECT DISTINCT ON (seat_id)
            seat_id,
            CASE
                WHEN kind IN ('CANCELLED', 'EXPIRED', 'UNBLOCKED') THEN NULL
                WHEN kind = 'BLOCKED' THEN 0
                ELSE booking_id
            END AS holder
        FROM ledger
        CROSS JOIN unnest(seat_ids) AS seat_id
        WHERE event_id = event
        ORDER BY seat_id, rev DESC
    )
    SELECT coalesce(
        bool_and(
            (
                claimed.holder = coalesce(booked.holder, 0)
                AND claimed.holder = replayed.holder
                AND mapped.is_sold = coalesce(booked.is_sold, false)
                AND mapped.is_blocked = (claimed.holder = 0)
            ) IS TRUE
        ),
        true
    ) OR EXISTS (
        SELECT
        FROM inventory
        WHERE event_id = event
            AND closed_at IS NOT NULL
    )
    FROM claimed
    FULL JOIN mapped USING (seat_id)
    FULL JOIN booked USING (seat_id)
    FULL JOIN (SELECT * FROM replayed WHERE holder IS NOT NULL) AS replayed USING (seat_id)
$$;
