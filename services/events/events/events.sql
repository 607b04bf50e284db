-- name: get_event
-- Finds an event by its id, a deleted one too.
SELECT {columns}
FROM events
WHERE id = %(event_id)s

-- name: get_event_of_key
-- Finds an event by its key, a deleted one too.
SELECT {columns}
FROM events
WHERE key = %(key)s

-- name: get_place
-- Finds where and when an event is, even a deleted one.
SELECT
    events.revision,
    events.starts_at,
    events.ends_at,
    coalesce(events.time_zone, theaters.time_zone, 'UTC') AS time_zone,
    coalesce(events.venue, theaters.name, '') AS venue,
    coalesce(rooms.name, '') AS room
FROM events
LEFT JOIN rooms ON rooms.id = events.room_id
LEFT JOIN theaters ON theaters.id = rooms.theater_id
WHERE events.id = %(event_id)s

-- name: list_events
-- Lists the events that the viewer may see, newest first.
SELECT {columns}
FROM events
WHERE deleted_at IS NULL
    AND id < %(before)s
    AND {visible}
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(organizer_id)s::text IS NULL OR organizer_id = %(organizer_id)s)
    AND (%(query)s::text IS NULL OR text_search @@ search_query(%(query)s))
ORDER BY id DESC
LIMIT %(limit)s
OFFSET %(offset)s

-- name: count_events
-- Counts the events on all pages of list_events.
SELECT count(*)
FROM events
WHERE deleted_at IS NULL
    AND {visible}
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(organizer_id)s::text IS NULL OR organizer_id = %(organizer_id)s)
    AND (%(query)s::text IS NULL OR text_search @@ search_query(%(query)s))
