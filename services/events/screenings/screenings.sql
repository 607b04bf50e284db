-- name: list_time_zones
-- Lists the time zones of all theaters.
SELECT DISTINCT time_zone
FROM theaters

-- name: list_screenings
-- Lists the screenings that the viewer may see, by their start: those that are on at some days, each
-- in the time zone of its theater, or else those that are not over.
SELECT {columns}
FROM events
WHERE movie_id IS NOT NULL
    AND deleted_at IS NULL
    AND {visible}
    AND (%(movie_id)s::bigint IS NULL OR movie_id = %(movie_id)s)
    AND (%(room_id)s::bigint IS NULL OR room_id = %(room_id)s)
    AND (
        %(theater_id)s::bigint IS NULL
        OR room_id IN (SELECT rooms.id FROM rooms WHERE rooms.theater_id = %(theater_id)s)
    )
    AND (%(first)s::timestamptz IS NOT NULL OR events.ends_at > now())
    AND (
        %(first)s::timestamptz IS NULL
        OR (
            starts_at >= %(first)s
            AND starts_at < %(last)s
            AND EXISTS (
                SELECT
                FROM rooms
                JOIN theaters ON theaters.id = rooms.theater_id
                JOIN unnest(
                    %(time_zones)s::text[], %(begins)s::timestamptz[], %(ends)s::timestamptz[]
                ) AS day (time_zone, begins_at, ends_at) ON day.time_zone = theaters.time_zone
                WHERE rooms.id = events.room_id
                    AND events.starts_at >= day.begins_at
                    AND events.starts_at < day.ends_at
            )
        )
    )
    AND (
        %(after)s::bigint IS NULL
        OR (starts_at, id) > (
            SELECT
                last.starts_at,
                last.id
            FROM events AS last
            WHERE last.id = %(after)s::bigint
        )
    )
ORDER BY starts_at, id
LIMIT %(limit)s
OFFSET %(offset)s

-- name: count_screenings
-- Counts the screenings on all pages of list_screenings.
SELECT count(*)
FROM events
WHERE movie_id IS NOT NULL
    AND deleted_at IS NULL
    AND {visible}
    AND (%(movie_id)s::bigint IS NULL OR movie_id = %(movie_id)s)
    AND (%(room_id)s::bigint IS NULL OR room_id = %(room_id)s)
    AND (
        %(theater_id)s::bigint IS NULL
        OR room_id IN (SELECT rooms.id FROM rooms WHERE rooms.theater_id = %(theater_id)s)
    )
    AND (%(first)s::timestamptz IS NOT NULL OR events.ends_at > now())
    AND (
        %(first)s::timestamptz IS NULL
        OR (
            starts_at >= %(first)s
            AND starts_at < %(last)s
            AND EXISTS (
                SELECT
                FROM rooms
                JOIN theaters ON theaters.id = rooms.theater_id
                JOIN unnest(
                    %(time_zones)s::text[], %(begins)s::timestamptz[], %(ends)s::timestamptz[]
                ) AS day (time_zone, begins_at, ends_at) ON day.time_zone = theaters.time_zone
                WHERE rooms.id = events.room_id
                    AND events.starts_at >= day.begins_at
                    AND events.starts_at < day.ends_at
            )
        )
    )
