-- name: get_ends
-- Reads the last position of the feed, and the last one that was forgotten.
SELECT
    position,
    forgotten
FROM feed

-- name: list_spans
-- Lists spans after a cursor, until they have as many changes as are wanted. The last nine digits of
-- revisions count the changes of an event, also across a restore; see inventory/restoring.sql.
WITH page AS (
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
),
counted AS (
    SELECT
        *,
        sum(coalesce(last_rev %% 1000000000 - first_rev %% 1000000000 + 1, 1)) OVER (
            ORDER BY position
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before
    FROM page
)
SELECT
    position,
    event_id,
    first_rev,
    CASE
        WHEN last_rev - first_rev < 1000000000 THEN least(last_rev, first_rev + %(limit)s - 1)
        ELSE last_rev
    END AS last_rev
FROM counted
WHERE coalesce(before, 0) < %(limit)s
ORDER BY position

-- name: list_changes
-- Lists the changes in spans of the ledger.
SELECT
    span.position,
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
FROM json_to_recordset(%(spans)s)
    AS span (position bigint, event_id bigint, first_rev bigint, last_rev bigint)
JOIN ledger ON ledger.event_id = span.event_id
    AND ledger.rev BETWEEN span.first_rev AND span.last_rev
LEFT JOIN bookings ON bookings.event_id = ledger.event_id
    AND bookings.id = ledger.booking_id
ORDER BY span.position, ledger.rev
LIMIT %(limit)s

-- name: list_admissions
-- Lists the scans that let somebody in at positions. Of those of one seat the first is a check-in, and all
-- others are double admissions.
SELECT
    span.position,
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
FROM json_to_recordset(%(spans)s) AS span (position bigint, event_id bigint)
JOIN ticket_scans AS scan ON scan.event_id = span.event_id
    AND scan.position = span.position
JOIN ticket_codes AS code ON code.event_id = scan.event_id
    AND code.code_id = scan.code_id
JOIN tickets ON tickets.event_id = code.event_id
    AND tickets.id = code.ticket_id
LEFT JOIN bookings ON bookings.event_id = tickets.event_id
    AND bookings.id = tickets.booking_id
ORDER BY span.position
