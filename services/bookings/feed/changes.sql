-- name: get_ends
-- Reads the last position of the feed, and the last one that was forgotten.
SELECT
    position,
    forgotten
FROM feed

-- name: list_spans
-- Lists spans after a cursor, what is left of the first.
SELECT
    position,
    event_id,
    CASE
        WHEN position = %(position)s THEN greatest(first_rev, least(%(rev)s, last_rev) + 1)
        ELSE first_rev
    END AS first_rev,
    last_rev
FROM feed_spans
WHERE position >= %(position)s
    AND (position > %(position)s OR last_rev > %(rev)s)
    AND {of_organizer}
ORDER BY position
LIMIT %(limit)s

-- name: list_changes
-- Lists changes by their revisions. Ranges of revisions would have PostgreSQL read whole tables.
SELECT
    wanted.position,
    ledger.event_id,
    ledger.rev,
    ledger.kind,
    ledger.at,
    ledger.booking_id,
    bookings.reference,
    ledger.user_id,
    ledger.seats,
    coalesce(ledger.seat_ids, '{}') AS seat_ids,
    ledger.capacity,
    NULL::uuid AS ticket_id
FROM json_to_recordset(%(wanted)s) AS wanted (position bigint, event_id bigint, revs bigint[])
JOIN ledger ON ledger.event_id = wanted.event_id
    AND ledger.rev = ANY (wanted.revs)
LEFT JOIN bookings ON bookings.event_id = ledger.event_id
    AND bookings.id = ledger.booking_id
ORDER BY wanted.position, ledger.rev

-- name: list_admissions
-- Lists the scans that let somebody in at positions. Of those of one seat the first is a check-in, and all
-- others are double admissions.
SELECT
    wanted.position,
    scan.event_id,
    scan.rev,
    CASE
        WHEN EXISTS (
            SELECT
            FROM ticket_codes AS same
            JOIN ticket_scans AS former ON former.event_id = same.event_id
                AND former.code_id = same.code_id
            WHERE same.event_id = code.event_id
                AND same.ticket_id = code.ticket_id
                AND same.place = code.place
                AND former.position < scan.position
        ) THEN 'DOUBLE_ADMISSION'
        ELSE 'CHECKED_IN'
    END AS kind,
    scan.scanned_at AS at,
    tickets.booking_id,
    bookings.reference,
    tickets.user_id,
    0 AS seats,
    array_remove(ARRAY[code.seat_id], NULL) AS seat_ids,
    NULL::integer AS capacity,
    tickets.id AS ticket_id
FROM json_to_recordset(%(wanted)s) AS wanted (position bigint, event_id bigint)
JOIN ticket_scans AS scan ON scan.event_id = wanted.event_id
    AND scan.position = wanted.position
JOIN ticket_codes AS code ON code.event_id = scan.event_id
    AND code.code_id = scan.code_id
JOIN tickets ON tickets.event_id = code.event_id
    AND tickets.id = code.ticket_id
LEFT JOIN bookings ON bookings.event_id = tickets.event_id
    AND bookings.id = tickets.booking_id
ORDER BY wanted.position
