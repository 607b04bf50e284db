-- name: lock_code
-- Locks the ticket of a code. Of several scans at once each later one waits here, and then reads what
-- the former ones have done: that statement must be a later one than this. Waits for a transfer, too.
SELECT tickets.event_id
FROM ticket_codes
JOIN tickets ON tickets.event_id = ticket_codes.event_id
    AND tickets.id = ticket_codes.ticket_id
WHERE ticket_codes.event_id = %(event_id)s
    AND ticket_codes.code_id = %(code_id)s
FOR NO KEY UPDATE OF tickets

-- name: get_scanned
-- Reads what a scanned code is decided by, and what became of the scan if it was received before.
SELECT
    tickets.id AS ticket_id,
    tickets.user_id,
    inventory.plan_id,
    code.seat_id,
    inventory.starts_at,
    tickets.valid_at IS NOT NULL AS is_paid,
    least(
        code.revoked_at,
        CASE
            WHEN bookings.status NOT IN ('HELD', 'CONFIRMED')
                THEN coalesce(bookings.cancelled_at, bookings.expires_at)
        END,
        inventory.closed_at
    ) AS revoked_at,
    inventory.rev,
    code.place,
    code.used_at,
    code.used_nonce,
    scan.scanned_at,
    scan.was_first,
    present() AS now
FROM ticket_codes AS code
JOIN tickets ON tickets.event_id = code.event_id
    AND tickets.id = code.ticket_id
JOIN bookings ON bookings.event_id = tickets.event_id
    AND bookings.id = tickets.booking_id
JOIN inventory ON inventory.event_id = code.event_id
LEFT JOIN ticket_scans AS scan ON scan.event_id = code.event_id
    AND scan.code_id = code.code_id
    AND scan.nonce = %(nonce)s
WHERE code.event_id = %(event_id)s
    AND code.code_id = %(code_id)s

-- name: add_scan
-- Keeps a scan that let somebody in. It has no position yet, so the tail of the feed finds it.
INSERT INTO ticket_scans (event_id, code_id, nonce, scanned_at, received_at, was_first, rev)
VALUES (
    %(event_id)s, %(code_id)s, %(nonce)s, %(scanned_at)s, present(), %(was_first)s, %(rev)s
)

-- name: use_code
-- Makes a scan the one that counts for a seat. It uses up all codes of the seat, those that are revoked
-- and the one that admits.
UPDATE ticket_codes
SET used_at = %(scanned_at)s, used_nonce = %(nonce)s
WHERE event_id = %(event_id)s
    AND ticket_id = %(ticket_id)s
    AND place = %(place)s

-- name: get_organizer
-- Reads whose an event is.
SELECT organizer_id
FROM inventory
WHERE event_id = %(event_id)s
