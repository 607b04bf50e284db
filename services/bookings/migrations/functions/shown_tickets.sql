-- A ticket as people see it, with its codes in the order of its seats. Its status follows from its
-- booking, its payment and its codes.
CREATE OR REPLACE VIEW shown_tickets AS
SELECT
    tickets.event_id,
    tickets.id AS ticket_id,
    tickets.booking_id,
    bookings.reference,
    tickets.user_id,
    CASE
        WHEN bookings.status NOT IN ('HELD', 'CONFIRMED')
            OR inventory.closed_at IS NOT NULL
            OR (
                bookings.status = 'HELD'
                AND EXISTS (
                    SELECT 1
                    FROM ending_holds AS ended
                    WHERE ended.event_id = bookings.event_id
                        AND ended.id = bookings.id
                        AND ended.expires_at <= present()
                )
            )
            THEN 'REVOKED'
        WHEN tickets.valid_at IS NULL THEN 'AWAITING_PAYMENT'
        WHEN codes.unused = 0 THEN 'USED'
        ELSE 'VALID'
    END AS status,
    bookings.price_amount_minor,
    bookings.price_currency,
    tickets.created_at,
    inventory.name AS event_name,
    inventory.starts_at AS event_starts_at,
    inventory.organizer_id AS event_organizer_id,
    inventory.plan_id,
    codes.code_ids,
    codes.seat_ids,
    codes.used_at,
    tickets.valid_at
FROM tickets
JOIN bookings ON bookings.event_id = tickets.event_id
    AND bookings.id = tickets.booking_id
JOIN inventory ON inventory.event_id = tickets.event_id
CROSS JOIN LATERAL (
    SELECT
        array_agg(code_id ORDER BY place) AS code_ids,
        array_agg(seat_id ORDER BY place) AS seat_ids,
        array_agg(used_at ORDER BY place) AS used_at,
        count(*) FILTER (WHERE used_at IS NULL) AS unused
    FROM ticket_codes
    WHERE ticket_codes.event_id = tickets.event_id
        AND ticket_codes.ticket_id = tickets.id
        AND revoked_at IS NULL
) AS codes;
