-- Assigned seats: which seats an event has, and who has each of them. Events and bookings without seats
-- have nulls here, so rows of before satisfy the new constraints and need not be read (NOT VALID).

-- The plans of rooms as events has them, kept so that no request for seats asks events.
CREATE TABLE seat_plans (
    plan_id bigint NOT NULL,
    plan bytea NOT NULL,

    CONSTRAINT seat_plans_pk PRIMARY KEY (plan_id)
);

ALTER TABLE inventory
    -- Null for an event without assigned seats.
    ADD COLUMN plan_id bigint,
    -- Seats that are not for sale.
    ADD COLUMN blocked integer NOT NULL DEFAULT 0,
    -- Prices of types of seats in minor units of price_currency; all others cost the event's price.
    ADD COLUMN seat_type_prices jsonb NOT NULL DEFAULT '{}',
    -- Whether a choice of seats may be refused because it leaves a single seat alone.
    ADD COLUMN orphan_rule boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT inventory_blocked_not_negative CHECK (blocked >= 0),
    ADD CONSTRAINT inventory_blocked_if_seated CHECK (blocked = 0 OR plan_id IS NOT NULL),
    DROP CONSTRAINT inventory_never_oversold,
    ADD CONSTRAINT inventory_never_oversold CHECK (sold + held + blocked <= capacity);

ALTER TABLE bookings
    ADD COLUMN seat_ids integer[],
    -- When its hold was made longer, which happens once.
    ADD COLUMN extended_at timestamptz,
    ADD CONSTRAINT bookings_seats_counted
        CHECK (seat_ids IS NULL OR cardinality(seat_ids) = seat_count) NOT VALID;

-- What a user holds of an event, or held until lately.
CREATE INDEX IF NOT EXISTS bookings_by_event_user ON bookings (event_id, user_id, id)
    WHERE seat_ids IS NOT NULL;

-- Who has a seat. Rows are made when a seat is first taken, and only changed while the event lives.
CREATE TABLE seat_claims (
    event_id bigint NOT NULL,
    seat_id integer NOT NULL,
    -- Null for a seat that is free again, 0 for one that is blocked.
    booking_id bigint,

    CONSTRAINT seat_claims_pk PRIMARY KEY (event_id, seat_id),
    CONSTRAINT seat_claims_seat_id_positive CHECK (seat_id >= 1)
) WITH (fillfactor = 70);

-- The map of an event's seats in blocks of 1,024. Bit 0 of the first byte is the first seat of a block
-- (`get_bit(taken, (seat_id - 1) % 1024)`). Taken seats are sold, blocked, or held.
CREATE TABLE seat_blocks (
    event_id bigint NOT NULL,
    block integer NOT NULL,
    taken bytea NOT NULL DEFAULT decode(repeat('00', 128), 'hex'),
    sold bytea NOT NULL DEFAULT decode(repeat('00', 128), 'hex'),
    blocked bytea NOT NULL DEFAULT decode(repeat('00', 128), 'hex'),
    -- Counted by the claims that were taken and freed, not by the bits; -1 if they are not as the
    -- writer believed, which seat_blocks_agree refuses.
    taken_count integer NOT NULL DEFAULT 0,

    CONSTRAINT seat_blocks_pk PRIMARY KEY (event_id, block),
    CONSTRAINT seat_blocks_whole CHECK (
        octet_length(taken) = 128 AND octet_length(sold) = 128 AND octet_length(blocked) = 128
    ),
    CONSTRAINT seat_blocks_agree CHECK (bit_count(taken) = taken_count)
) WITH (fillfactor = 50);

-- HELD, CONFIRMED and EXTENDED are about bookings; BLOCKED and UNBLOCKED about seats alone.
ALTER TABLE ledger
    ADD COLUMN seat_ids integer[],
    DROP CONSTRAINT ledger_kind_known,
    ADD CONSTRAINT ledger_kind_known CHECK (
        kind IN (
            'OPENED', 'RESIZED', 'CLOSED', 'RESERVED', 'CANCELLED',
            'JOINED', 'LEFT', 'SERVED', 'OFFERED', 'ACCEPTED', 'EXPIRED',
            'HELD', 'CONFIRMED', 'EXTENDED', 'BLOCKED', 'UNBLOCKED'
        )
    ) NOT VALID,
    DROP CONSTRAINT ledger_booking_if_named,
    ADD CONSTRAINT ledger_booking_if_named CHECK (
        (capacity IS NULL AND kind NOT IN ('JOINED', 'LEFT', 'BLOCKED', 'UNBLOCKED'))
        = (booking_id IS NOT NULL)
    ) NOT VALID,
    DROP CONSTRAINT ledger_user_unless_sized,
    ADD CONSTRAINT ledger_user_unless_sized CHECK (
        (capacity IS NULL AND kind NOT IN ('BLOCKED', 'UNBLOCKED')) = (user_id IS NOT NULL)
    ) NOT VALID,
    ADD CONSTRAINT ledger_seats_counted CHECK (
        seat_ids IS NULL
        OR cardinality(seat_ids) = abs(seats)
        OR kind IN ('ACCEPTED', 'CONFIRMED', 'EXTENDED')
    ) NOT VALID;
