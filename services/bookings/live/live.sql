-- name: read_snapshot
-- Reads the counters and the map of an event in one snapshot of the database.
SELECT
    deleted OR status = 'DRAFT' AS is_hidden,
    map.taken,
    map.sold,
    map.blocked,
    rev,
    capacity - inventory.blocked AS total_seats,
    capacity - inventory.blocked - inventory.sold - held AS free,
    CASE WHEN plan_id IS NULL OR closed_at IS NOT NULL THEN 0 ELSE capacity END AS mapped_seats,
    status,
    catalogue_rev AS version
FROM inventory
CROSS JOIN LATERAL (
    SELECT
        coalesce(string_agg(taken, '' ORDER BY block), '') AS taken,
        coalesce(string_agg(sold, '' ORDER BY block), '') AS sold,
        coalesce(string_agg(blocked, '' ORDER BY block), '') AS blocked
    FROM seat_blocks
    WHERE event_id = %(event_id)s
) AS map
WHERE event_id = %(event_id)s
