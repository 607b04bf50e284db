-- Tickets that their users give to others: the codes of a seat are one after another.

-- All codes of a seat, whether or not they are revoked: a scan uses up all of them.
CREATE INDEX ticket_codes_by_ticket ON ticket_codes (event_id, ticket_id, place);

-- TRANSFERRED is a ticket that another user has from now on.
ALTER TABLE ledger
    DROP CONSTRAINT ledger_kind_known,
    ADD CONSTRAINT ledger_kind_known CHECK (
        kind IN (
            'OPENED', 'RESIZED', 'CLOSED', 'RESERVED', 'CANCELLED',
            'JOINED', 'LEFT', 'SERVED', 'OFFERED', 'ACCEPTED', 'EXPIRED',
            'HELD', 'CONFIRMED', 'EXTENDED', 'BLOCKED', 'UNBLOCKED', 'TICKETED',
            'REGAINED', 'REFUND_DUE', 'REFUNDED', 'TRANSFERRED'
        )
    ) NOT VALID,
    DROP CONSTRAINT ledger_seats_counted,
    ADD CONSTRAINT ledger_seats_counted CHECK (
        seat_ids IS NULL
        OR cardinality(seat_ids) = abs(seats)
        OR kind IN ('ACCEPTED', 'CONFIRMED', 'EXTENDED', 'TICKETED', 'TRANSFERRED')
    ) NOT VALID;
