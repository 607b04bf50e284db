-- Tickets, their codes, and who was admitted with them. What has become of a ticket follows from its
-- booking, so nothing here is written when a booking ends.

CREATE TABLE tickets (
    event_id bigint NOT NULL,
    -- Random: the secret of a guest's ticket.
    id uuid NOT NULL,
    booking_id bigint NOT NULL,
    -- Whose it is: the user of the booking, unless it was transferred.
    user_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    -- Since when it is paid, or confirmed where it is free; null while it awaits payment.
    valid_at timestamptz,

    CONSTRAINT tickets_pk PRIMARY KEY (event_id, id),
    CONSTRAINT tickets_one_per_booking UNIQUE (event_id, booking_id)
);

CREATE INDEX tickets_by_id ON tickets (id);
CREATE INDEX tickets_by_user ON tickets (user_id, booking_id);

-- The codes of tickets, one for each seat. Codes are signed when they are shown, and never stored.
CREATE TABLE ticket_codes (
    event_id bigint NOT NULL,
    -- Random: what a code is known by when it is scanned.
    code_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    -- The number of the seat among those of the ticket, from 1.
    place integer NOT NULL,
    -- Null where seats are not assigned.
    seat_id integer,
    -- Since when another code stands in its place.
    revoked_at timestamptz,
    -- When somebody was admitted with it, and by which scan.
    used_at timestamptz,
    used_nonce text COLLATE "C",

    CONSTRAINT ticket_codes_pk PRIMARY KEY (event_id, code_id),
    CONSTRAINT ticket_codes_used_by_a_scan CHECK ((used_at IS NULL) = (used_nonce IS NULL))
);

CREATE UNIQUE INDEX ticket_codes_one_per_place ON ticket_codes (event_id, ticket_id, place)
    WHERE revoked_at IS NULL;

-- Scans that let somebody in. Two of one code are a double admission, which can only happen without a
-- network: they were uploaded later.
CREATE TABLE ticket_scans (
    event_id bigint NOT NULL,
    code_id uuid NOT NULL,
    -- The scanner's own name of the scan.
    nonce text COLLATE "C" NOT NULL,
    scanned_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    -- Whether it was the first one of its code, as far as was known when it was received.
    was_first boolean NOT NULL,

    CONSTRAINT ticket_scans_pk PRIMARY KEY (event_id, code_id, nonce)
);

-- The keys that sign codes: each from its time until that of the next. Former ones stay, to verify what
-- they signed.
CREATE TABLE ticket_keys (
    id integer GENERATED ALWAYS AS IDENTITY,
    public_key bytea NOT NULL,
    private_key bytea NOT NULL,
    signs_from timestamptz NOT NULL,

    CONSTRAINT ticket_keys_pk PRIMARY KEY (id),
    CONSTRAINT ticket_keys_public_key_whole CHECK (octet_length(public_key) = 32),
    CONSTRAINT ticket_keys_private_key_whole CHECK (octet_length(private_key) = 32)
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
