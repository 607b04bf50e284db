-- name: read_line
-- Reads all places that wait, and the number of the last change that they have.
SELECT
    seq,
    (
        SELECT array_agg(place)
        FROM queue_entries
        WHERE event_id = %(event_id)s
            AND state = 'WAITING'
            AND place IS NOT NULL
    ) AS places
FROM queues
WHERE event_id = %(event_id)s

-- name: list_changes
-- Lists the changes of who waits after a number.
SELECT seq, waits, places
FROM queue_changes
WHERE event_id = %(event_id)s
    AND seq > %(after)s
ORDER BY seq

-- name: read_queue
-- Reads the queue of an event, and counts who is admitted and who waits without a place.
SELECT
    enabled,
    opens_at,
    rate_per_minute,
    max_active,
    admission_seconds,
    seed,
    draw_size IS NOT NULL AND drawn = draw_size AS is_drawn,
    rate_seen,
    seq,
    greatest(extract(epoch FROM opens_at - present()), 0)::double precision AS seconds_to_opening,
    (
        SELECT count(*)
        FROM queue_entries
        WHERE event_id = %(event_id)s
            AND state = 'ADMITTED'
            AND admitted_until > present()
    ) AS active,
    CASE
        WHEN draw_size IS NULL OR drawn < draw_size THEN (
            SELECT count(*)
            FROM queue_entries
            WHERE event_id = %(event_id)s
                AND state = 'WAITING'
                AND place IS NULL
        )
        ELSE 0
    END AS undrawn
FROM queues
WHERE event_id = %(event_id)s
