-- name: find_screenings
-- Reads events with seat plans, and the values that their maps depend on: one index look-up for each,
-- and another one where a hold has ended that nobody has written yet.
SELECT
    event_id,
    plan_id,
    rev,
    catalogue_rev,
    CASE
        WHEN next_expiry_at <= present() THEN (
            SELECT coalesce(sum(seat_count), 0)::integer
            FROM ending_holds
            WHERE ending_holds.event_id = inventory.event_id
                AND expires_at <= (SELECT present())
        )
        ELSE 0
    END AS ended_seats,
    price_amount_minor,
    price_currency,
    seat_type_prices,
    status = 'DRAFT' AS is_draft,
    deleted AS is_deleted,
    closed_at IS NOT NULL AS is_closed,
    organizer_id
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])

-- name: list_blocks
-- Reads the maps of an event's seats, as far as any seat was ever taken.
SELECT
    block,
    taken,
    sold,
    blocked
FROM seat_blocks
WHERE event_id = %(event_id)s

-- name: list_ended_seats
-- Lists the seats whose holds have ended, though nobody has written that yet.
SELECT unnest(seat_ids)
FROM ending_holds
WHERE event_id = %(event_id)s
    AND expires_at <= present()
