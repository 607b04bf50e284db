-- name: read_seq
-- Reads the number of the last change of a queue.
SELECT seq
FROM queues
WHERE event_id = %(event_id)s

-- name: read_snapshot
-- Reads all places that wait, with the number of the last change, in one snapshot of the database.
SELECT
    seq,
    coalesce(
        (
            SELECT array_agg(place)
            FROM queue_entries
            WHERE event_id = %(event_id)s
                AND state = 'WAITING'
                AND place IS NOT NULL
        ),
        '{}'
    ) AS places,
    {state}
FROM queues
WHERE event_id = %(event_id)s
