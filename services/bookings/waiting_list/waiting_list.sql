-- name: get_standing
-- Reads whether a user waits, has an offer, a booking or a hold. No row if none of these.
SELECT status, position, offer_expires_at, expires_at
FROM (
    SELECT
        1 AS preference,
        CASE entry.state WHEN 'WAITING' THEN 'waiting' ELSE 'offered' END AS status,
        CASE entry.state
            WHEN 'WAITING' THEN {position}
        END AS position,
        offer.expires_at AS offer_expires_at,
        NULL::timestamptz AS expires_at
    FROM waiting_list AS entry
    JOIN inventory USING (event_id)
    LEFT JOIN bookings AS offer ON offer.event_id = entry.event_id
        AND offer.id = entry.booking_id
    WHERE entry.event_id = %(event_id)s
        AND entry.user_id = %(user_id)s
        AND entry.state IN ('WAITING', 'OFFERED')
        AND inventory.closed_at IS NULL
        AND NOT EXISTS (
            SELECT 1
            FROM ending_holds AS ended
            WHERE ended.event_id = %(event_id)s
                AND ended.id = offer.id
                AND ended.expires_at <= present()
        )
    UNION ALL
    (
        SELECT
            CASE status WHEN 'CONFIRMED' THEN 2 ELSE 3 END,
            CASE status WHEN 'CONFIRMED' THEN 'booked' ELSE 'held' END,
            NULL,
            NULL,
            CASE status WHEN 'HELD' THEN expires_at END
        FROM booking_details
        WHERE event_id = %(event_id)s
            AND user_id = %(user_id)s
            AND status IN ('CONFIRMED', 'HELD')
            AND NOT EXISTS (
                SELECT 1
                FROM ending_holds AS ended
                WHERE ended.event_id = %(event_id)s
                    AND ended.id = booking_details.id
                    AND ended.expires_at <= present()
            )
        ORDER BY status, expires_at
        LIMIT 1
    )
) AS standings
ORDER BY preference
LIMIT 1

-- name: get_entry
-- Reads the latest entry of a user in the list of an event.
SELECT
    place AS id,
    user_id,
    seat_count,
    CASE
        WHEN state IN ('WAITING', 'OFFERED') AND inventory.closed_at IS NOT NULL THEN 'EXPIRED'
        ELSE state
    END AS state,
    CASE
        WHEN state = 'WAITING' AND inventory.closed_at IS NULL
            THEN {position}
    END AS position,
    booking_id,
    joined_at
FROM waiting_list AS entry
JOIN inventory USING (event_id)
WHERE entry.event_id = %(event_id)s
    AND user_id = %(user_id)s
ORDER BY place DESC
LIMIT 1

-- name: list_waiting
-- Lists the users behind a place in the list whom the viewer may see, in order.
SELECT
    place AS id,
    user_id,
    seat_count,
    state,
    {position} AS position,
    booking_id,
    joined_at
FROM waiting_list AS entry
JOIN inventory USING (event_id)
WHERE entry.event_id = %(event_id)s
    AND state = 'WAITING'
    AND place > %(after)s
    AND inventory.closed_at IS NULL
    AND is_visible(
        user_id, inventory.organizer_id, %(viewer)s::text, %(sees_guests)s, %(sees_all)s
    )
ORDER BY place
LIMIT %(limit)s

-- name: list_changes
-- Lists the changes of the list of an event after a revision, in the order of their commits.
SELECT
    ledger.rev,
    ledger.user_id,
    CASE ledger.kind
        WHEN 'JOINED' THEN 'WAITING'
        WHEN 'ACCEPTED' THEN 'SERVED'
        WHEN 'CANCELLED' THEN 'LEFT'
        ELSE ledger.kind
    END AS state,
    CASE
        WHEN ledger.kind = 'JOINED' AND entry.state = 'WAITING' AND inventory.closed_at IS NULL
            THEN {position}
    END AS position,
    ledger.booking_id,
    ledger.at AS changed_at
FROM ledger
JOIN waiting_list AS entry USING (event_id, place)
JOIN inventory USING (event_id)
WHERE ledger.event_id = %(event_id)s
    AND ledger.rev > %(after)s
ORDER BY ledger.rev
LIMIT %(limit)s
