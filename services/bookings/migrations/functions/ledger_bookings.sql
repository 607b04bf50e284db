-- The ledger as far as single bookings come and go: one more or one less of its user, counted where
-- the booking was made, whenever it ended.
CREATE OR REPLACE VIEW ledger_bookings AS
SELECT
    ledger.txid,
    ledger.user_id,
    CASE WHEN ledger.kind IN ('CANCELLED', 'EXPIRED') THEN -1 ELSE 1 END AS bookings,
    CASE
        WHEN ledger.kind NOT IN ('CANCELLED', 'EXPIRED', 'REGAINED') THEN ledger.at
        ELSE (
            SELECT bookings.created_at
            FROM bookings
            WHERE bookings.event_id = ledger.event_id
                AND bookings.id = ledger.booking_id
        )
    END AS created_at,
    ledger.event_id,
    ledger.rev
FROM ledger
WHERE ledger.kind IN (
    'RESERVED', 'SERVED', 'OFFERED', 'HELD', 'REGAINED', 'CANCELLED', 'EXPIRED'
);
