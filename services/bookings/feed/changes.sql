-- name: get_ends
-- Reads the last position of the feed, and the last one that was forgotten.
SELECT
    position,
    forgotten
FROM feed

-- name: list_changes
-- Lists changes after a cursor. Reads as many rows of the ledger as it returns, whatever the length
-- of the spans. A span without revisions is a scan that let somebody in; of those of one seat the
-- first is a check-in, and all others are double admissions.
SELECT
    page.position,
    page.event_id,
    page.rev,
    page.kind,
    page.at,
    page.booking_id,
    bookings.reference,
    page.user_id,
    page.seats,
    coalesce(page.seat_ids, '{}') AS seat_ids,
    page.capacity,
    page.ticket_id
FROM (
    SELECT
        span.position,
        entry.*
    FROM (
        SELECT position, event_id, first_rev, last_rev
        FROM feed_spans
        WHERE position >= %(position)s
            AND {of_organizer}
        ORDER BY position
        -- One more than is listed: nothing may be left of the first.
        LIMIT %(limit)s + 1
    ) AS span
    CROSS JOIN LATERAL (
        (
            SELECT
                event_id,
                rev,
                kind,
                at,
                booking_id,
                user_id,
                seats,
                seat_ids,
                capacity,
                NULL::uuid AS ticket_id
            FROM ledger
            WHERE ledger.event_id = span.event_id
                AND rev BETWEEN span.first_rev AND span.last_rev
                AND rev > CASE WHEN span.position = %(position)s THEN %(rev)s ELSE 0 END
            ORDER BY rev
            LIMIT %(limit)s
        )
        UNION ALL
        SELECT
            scan.event_id,
            scan.rev,
            CASE
                WHEN EXISTS (
                    SELECT
                    FROM ticket_codes AS same
                    JOIN ticket_scans AS former USING (event_id, code_id)
                    WHERE same.event_id = code.event_id
                        AND same.ticket_id = code.ticket_id
                        AND same.place = code.place
                        AND former.position < scan.position
                ) THEN 'DOUBLE_ADMISSION'
                ELSE 'CHECKED_IN'
            END,
            scan.scanned_at,
            tickets.booking_id,
            tickets.user_id,
            0,
            array_remove(ARRAY[code.seat_id], NULL),
            NULL,
            tickets.id
        FROM ticket_scans AS scan
        JOIN ticket_codes AS code USING (event_id, code_id)
        JOIN tickets ON tickets.event_id = code.event_id
            AND tickets.id = code.ticket_id
        WHERE span.first_rev IS NULL
            AND span.position > %(position)s
            AND scan.position = span.position
    ) AS entry
    ORDER BY span.position, entry.rev
    LIMIT %(limit)s
) AS page
LEFT JOIN bookings ON bookings.event_id = page.event_id
    AND bookings.id = page.booking_id
ORDER BY page.position, page.rev
