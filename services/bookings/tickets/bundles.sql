-- name: get_event
-- Reads an event for the scanners at its doors.
SELECT event_id, name, starts_at, organizer_id, plan_id, rev
FROM inventory
WHERE event_id = %(event_id)s
    AND NOT deleted

-- name: list_codes
-- Lists the codes of an event's tickets that are paid: those that admit, and those that ceased to.
SELECT
    code.code_id,
    code.seat_id,
    code.used_at,
    code.revoked_at IS NOT NULL
        OR bookings.status NOT IN ('HELD', 'CONFIRMED')
        OR inventory.closed_at IS NOT NULL AS is_revoked
FROM ticket_codes AS code
JOIN tickets ON tickets.event_id = code.event_id
    AND tickets.id = code.ticket_id
JOIN bookings ON bookings.event_id = tickets.event_id
    AND bookings.id = tickets.booking_id
JOIN inventory ON inventory.event_id = code.event_id
WHERE code.event_id = %(event_id)s
    AND tickets.valid_at IS NOT NULL
ORDER BY code.seat_id, code.code_id

-- name: list_double_admissions
-- Lists the scans of an event that let in somebody to a seat that another scan used, with the same code
-- or with one that was transferred.
SELECT code_id, nonce, scanned_at
FROM (
    SELECT
        scan.code_id,
        scan.nonce,
        scan.scanned_at,
        row_number() OVER (
            PARTITION BY code.ticket_id, code.place
            ORDER BY scan.scanned_at, scan.received_at
        ) AS turn
    FROM ticket_scans AS scan
    JOIN ticket_codes AS code USING (event_id, code_id)
    WHERE scan.event_id = %(event_id)s
) AS numbered
WHERE turn > 1
ORDER BY scanned_at, code_id, nonce
