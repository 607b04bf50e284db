-- Tickets and their codes. What has become of a ticket follows from its booking, so nothing here is
-- written when a booking ends.

CREATE TABLE tickets (
    event_id bigint NOT NULL,
    -- Random: the secret of a guest's ticket.
    id uuid NOT NULL,
    booking_id bigint NOT NULL,
    -- Whose it is: the user of the booking.
    user_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    -- Since when it is paid, or confirmed where it is free; null while it awaits payment.
    valid_at timestamptz,

    CONSTRAINT tickets_pk PRIMARY KEY (event_id, id),
    CONSTRAINT tickets_one_per_booking UNIQUE (event_id, booking_id)
);

CREATE INDEX tickets_by_id ON tickets (id);
CREATE INDEX tickets_by_user ON tickets (user_id, booking_id);

-- The codes of a ticket, one for each of its seats in their order.
CREATE TABLE ticket_codes (
    event_id bigint NOT NULL,
    -- Random: what a code is known by when it is scanned.
    code_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    -- The number of the seat among those of the ticket, from 1.
    place integer NOT NULL,
    -- Null where seats are not assigned.
    seat_id integer,

    CONSTRAINT ticket_codes_pk PRIMARY KEY (event_id, code_id),
    CONSTRAINT ticket_codes_one_per_place UNIQUE (event_id, ticket_id, place)
);

-- TICKETED is a ticket that was issued, or became valid, without any other change of its booking.
ALTER TABLE ledger
    DROP CONSTRAINT ledger_kind_known,
    ADD CONSTRAINT ledger_kind_known CHECK (
        kind IN (
            'OPENED', 'RESIZED', 'CLOSED', 'RESERVED', 'CANCELLED',
            'JOINED', 'LEFT', 'SERVED', 'OFFERED', 'ACCEPTED', 'EXPIRED',
            'HELD', 'CONFIRMED', 'EXTENDED', 'BLOCKED', 'UNBLOCKED', 'TICKETED'
        )
    ) NOT VALID,
    DROP CONSTRAINT ledger_seats_counted,
    ADD CONSTRAINT ledger_seats_counted CHECK (
        seat_ids IS NULL
        OR cardinality(seat_ids) = abs(seats)
        OR kind IN ('ACCEPTED', 'CONFIRMED', 'EXTENDED', 'TICKETED')
    ) NOT VALID;
