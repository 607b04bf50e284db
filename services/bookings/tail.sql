-- name: read_on
-- Reads the next changes of events, each after the revision that was read last. An event without new
-- changes has a row only if its version in the catalogue is another one. A revision is taken under
-- the event's lock, which is held until the commit, so the rows of an event become visible in the order
-- of their revisions, without gaps. Each event is looked up by itself: PostgreSQL may read the whole
-- ledger otherwise.
SELECT
    event.event_id,
    event.catalogue_rev,
    news.rev,
    news.kind,
    news.seats,
    news.seat_ids,
    news.place,
    news.at
FROM unnest(
    %(event_ids)s::bigint[], %(revs)s::bigint[], %(versions)s::bigint[]
) AS watched (event_id, after, version)
CROSS JOIN LATERAL (
    SELECT event_id, catalogue_rev
    FROM inventory
    WHERE inventory.event_id = watched.event_id
    OFFSET 0
) AS event
LEFT JOIN LATERAL (
    SELECT rev, kind, seats, coalesce(seat_ids, '{}') AS seat_ids, place, at
    FROM ledger
    WHERE ledger.event_id = watched.event_id
        AND ledger.rev > watched.after
    ORDER BY ledger.rev
    LIMIT %(limit)s
) AS news ON true
WHERE news.rev IS NOT NULL
    OR event.catalogue_rev <> watched.version
ORDER BY event.event_id, news.rev

-- name: read_heads
-- Reads the last revisions of events, and their versions in the catalogue.
SELECT event_id, rev, catalogue_rev
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])
ORDER BY event_id

-- name: list_changes
-- Lists the changes of an event after a revision, up to another one; all of them if the limit is NULL.
SELECT
    rev,
    kind,
    seats,
    coalesce(seat_ids, '{}') AS seat_ids,
    place,
    at
FROM ledger
WHERE event_id = %(event_id)s
    AND rev > %(after)s
    AND rev <= %(last)s
ORDER BY rev
LIMIT %(limit)s
