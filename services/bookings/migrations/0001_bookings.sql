-- Who holds which seat. Every key holds event_id, so that the tables can be distributed by it.

-- One row for an event: its counters, what the catalogue last said of it, and its lock. Whoever
-- changes who holds a seat locks this row first (FOR NO KEY UPDATE).
CREATE TABLE inventory (
    event_id bigint NOT NULL,

    capacity integer NOT NULL,
    sold integer NOT NULL DEFAULT 0,
    held integer NOT NULL DEFAULT 0,
    live_bookings integer NOT NULL DEFAULT 0,
    -- How many wait for seats. While anybody does, whoever comes by gets none.
    waiting integer NOT NULL DEFAULT 0,
    -- Place in the waiting list that was given last.
    last_place bigint NOT NULL DEFAULT 0,
    -- Number of the last change; the ledger has one row for each.
    rev bigint NOT NULL DEFAULT 1,
    -- When the first hold ends; null while nothing is held.
    next_expiry_at timestamptz,
    -- Set when the event was called off or deleted: its bookings read as CANCELLED from then on.
    closed_at timestamptz,
    -- Whether bookings of a closed event are still to be written as CANCELLED.
    closing boolean NOT NULL DEFAULT false,

    -- Why nothing is sold although the event is on sale: its counters were found wrong, or it
    -- differs from the catalogue. Empty while all is well.
    frozen text NOT NULL DEFAULT '',

    -- Revision of the catalogue that was decided last, the life of the catalogue that it counts
    -- in, and what was decided.
    epoch text NOT NULL,
    catalogue_rev bigint NOT NULL,
    verdict text NOT NULL,
    refusal text NOT NULL DEFAULT '',
    cancelled_bookings integer NOT NULL DEFAULT 0,

    -- After how many seconds for which the head of the waiting list wants more seats than are free
    -- smaller parties may pass it; null for never.
    skip_fit_after_seconds integer,

    -- The client's own id of the event.
    key text COLLATE "C",
    -- The account that made the event; null if somebody without a token did.
    organizer_id text COLLATE "C",
    name text NOT NULL,
    status text NOT NULL,
    deleted boolean NOT NULL,
    starts_at timestamptz,
    sales_open_at timestamptz,
    sales_close_at timestamptz,
    price_amount_minor bigint,
    price_currency text,
    one_booking_per_user boolean,

    CONSTRAINT inventory_pk PRIMARY KEY (event_id),
    CONSTRAINT inventory_sold_not_negative CHECK (sold >= 0),
    CONSTRAINT inventory_held_not_negative CHECK (held >= 0),
    CONSTRAINT inventory_live_bookings_not_negative CHECK (live_bookings >= 0),
    CONSTRAINT inventory_waiting_not_negative CHECK (waiting >= 0),
    CONSTRAINT inventory_never_oversold CHECK (sold + held <= capacity),
    CONSTRAINT inventory_rev_positive CHECK (rev >= 1),
    CONSTRAINT inventory_frozen_known CHECK (frozen IN ('', 'COUNTERS', 'CATALOGUE')),
    CONSTRAINT inventory_verdict_known CHECK (verdict IN ('APPLIED', 'REFUSED')),
    CONSTRAINT inventory_refusal_if_refused CHECK ((verdict = 'REFUSED') = (refusal <> '')),
    CONSTRAINT inventory_price_whole CHECK ((price_amount_minor IS NULL) = (price_currency IS NULL))
) WITH (fillfactor = 50);

CREATE INDEX inventory_closing ON inventory (event_id) WHERE closing;
-- Not unique: a catalogue that lost an event in a restore may give its key to another one.
CREATE INDEX inventory_by_key ON inventory (key, event_id) WHERE key IS NOT NULL;
CREATE INDEX inventory_waiting ON inventory (event_id) WHERE waiting > 0;
CREATE INDEX inventory_expiring ON inventory (next_expiry_at) WHERE next_expiry_at IS NOT NULL;

CREATE SEQUENCE booking_id AS bigint;

CREATE TABLE bookings (
    event_id bigint NOT NULL,
    id bigint NOT NULL,
    reference uuid NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    -- Whether it keeps its user from another one of this event.
    exclusive boolean NOT NULL,
    seat_count integer NOT NULL,
    price_amount_minor bigint,
    price_currency text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    cancelled_at timestamptz,

    CONSTRAINT bookings_pk PRIMARY KEY (event_id, id),
    CONSTRAINT bookings_status_known
        CHECK (status IN ('HELD', 'CONFIRMED', 'CANCELLED', 'EXPIRED')),
    CONSTRAINT bookings_seat_count_positive CHECK (seat_count > 0),
    CONSTRAINT bookings_expires_if_held CHECK (status <> 'HELD' OR expires_at IS NOT NULL),
    CONSTRAINT bookings_cancelled_at_if_cancelled
        CHECK ((status = 'CANCELLED') = (cancelled_at IS NOT NULL)),
    CONSTRAINT bookings_price_whole CHECK ((price_amount_minor IS NULL) = (price_currency IS NULL))
);

-- Decides "already booked", whatever the interleaving.
CREATE UNIQUE INDEX bookings_one_per_user ON bookings (event_id, user_id)
    WHERE exclusive AND status IN ('HELD', 'CONFIRMED');
CREATE INDEX bookings_by_id ON bookings (id);
CREATE INDEX bookings_by_user ON bookings (user_id, id);
CREATE INDEX bookings_by_reference ON bookings (reference);
CREATE INDEX bookings_held ON bookings (event_id, expires_at) WHERE status = 'HELD';

-- Who waits for seats of an event that is sold out, in the order of their places.
CREATE TABLE waiting_list (
    event_id bigint NOT NULL,
    -- Counted under the event's lock, so in the order of commits and without gaps.
    place bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    seat_count integer NOT NULL,
    state text NOT NULL,
    -- The booking that it was offered or served with.
    booking_id bigint,
    joined_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    -- Since when it is first in line and wants more seats than are free.
    blocked_since timestamptz,

    CONSTRAINT waiting_list_pk PRIMARY KEY (event_id, place),
    CONSTRAINT waiting_list_state_known
        CHECK (state IN ('WAITING', 'OFFERED', 'SERVED', 'LEFT', 'EXPIRED')),
    CONSTRAINT waiting_list_seat_count_positive CHECK (seat_count > 0),
    CONSTRAINT waiting_list_booking_if_had
        CHECK (state NOT IN ('OFFERED', 'SERVED') OR booking_id IS NOT NULL)
);

-- Nobody waits twice, whatever the interleaving.
CREATE UNIQUE INDEX waiting_list_one_per_user ON waiting_list (event_id, user_id)
    WHERE state IN ('WAITING', 'OFFERED');
CREATE INDEX waiting_list_by_user ON waiting_list (event_id, user_id, place);
CREATE INDEX waiting_list_offered ON waiting_list (event_id, booking_id) WHERE state = 'OFFERED';
CREATE INDEX waiting_list_queue ON waiting_list (event_id, place) WHERE state = 'WAITING';
-- Those who went from among the others; all before the first who waits have gone.
CREATE INDEX waiting_list_gone ON waiting_list (event_id, place) WHERE state <> 'WAITING';

-- One row for each change of an inventory, in the transaction of the change and never touched
-- again: replayed from rev 1, it gives the counters and who holds a seat.
CREATE TABLE ledger (
    event_id bigint NOT NULL,
    rev bigint NOT NULL,
    -- OPENED, RESIZED and CLOSED carry the capacity; CLOSED frees all that is sold and held.
    kind text NOT NULL,
    booking_id bigint,
    -- Place in the waiting list, where it is about one.
    place bigint,
    user_id text COLLATE "C",
    -- Seats taken (positive) or freed (negative).
    seats integer NOT NULL,
    capacity integer,
    at timestamptz NOT NULL,
    -- Everything below the oldest transaction at work is complete; readers go by this.
    txid xid8 NOT NULL DEFAULT pg_current_xact_id(),

    CONSTRAINT ledger_pk PRIMARY KEY (event_id, rev),
    CONSTRAINT ledger_kind_known CHECK (
        kind IN (
            'OPENED', 'RESIZED', 'CLOSED', 'RESERVED', 'CANCELLED',
            'JOINED', 'LEFT', 'SERVED', 'OFFERED', 'ACCEPTED', 'EXPIRED'
        )
    ),
    CONSTRAINT ledger_capacity_if_sized
        CHECK ((kind IN ('OPENED', 'RESIZED', 'CLOSED')) = (capacity IS NOT NULL)),
    CONSTRAINT ledger_booking_if_named
        CHECK ((capacity IS NULL AND kind NOT IN ('JOINED', 'LEFT')) = (booking_id IS NOT NULL)),
    CONSTRAINT ledger_place_if_named CHECK (
        CASE
            WHEN kind IN ('JOINED', 'LEFT', 'SERVED', 'OFFERED', 'ACCEPTED') THEN place IS NOT NULL
            WHEN kind IN ('CANCELLED', 'EXPIRED') THEN true
            ELSE place IS NULL
        END
    ),
    CONSTRAINT ledger_user_unless_sized CHECK ((capacity IS NULL) = (user_id IS NOT NULL))
);

CREATE INDEX ledger_by_txid ON ledger (txid);

-- The answer to each request that carried an idempotency key, kept for 24 hours.
CREATE TABLE idempotency (
    caller text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    -- SHA-256 of what was asked.
    fingerprint bytea NOT NULL,
    outcome text NOT NULL,
    event_id bigint NOT NULL,
    booking_id bigint,
    rev bigint NOT NULL,
    -- What the answer showed besides, as it was then: the booking, or the place in the queue.
    snapshot jsonb,
    decided_at timestamptz NOT NULL,

    CONSTRAINT idempotency_pk PRIMARY KEY (caller, operation, key)
);

CREATE INDEX idempotency_by_decided_at ON idempotency (decided_at);

-- Live bookings of a user by the day (UTC) they were made on, rolled up from the ledger.
CREATE TABLE tallies (
    day date NOT NULL,
    bookings integer NOT NULL,
    user_id text COLLATE "C" NOT NULL,

    CONSTRAINT tallies_pk PRIMARY KEY (user_id, day)
);

CREATE INDEX tallies_by_day ON tallies (day, user_id) WHERE bookings > 0;

-- The tallies by period, of those alone who have more than one booking in it. The others, who are
-- most, all share one place.
CREATE TABLE ranks (
    period text COLLATE "C" NOT NULL,
    starts_on date NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    bookings integer NOT NULL,

    CONSTRAINT ranks_pk PRIMARY KEY (period, starts_on, user_id),
    CONSTRAINT ranks_period_known CHECK (period IN ('all', 'day', 'week', 'month')),
    CONSTRAINT ranks_of_several CHECK (bookings > 1)
);

CREATE INDEX ranks_by_bookings ON ranks (period, starts_on, bookings DESC, user_id);

-- The transactions of the ledger up to this one are in the tallies. The row is their lock.
CREATE TABLE tallied (
    only_row boolean NOT NULL DEFAULT true,
    after_txid xid8 NOT NULL,

    CONSTRAINT tallied_pk PRIMARY KEY (only_row),
    CONSTRAINT tallied_one_row CHECK (only_row)
);

INSERT INTO tallied (after_txid) VALUES ('0');

-- How far the catalogue's changes are applied; empty until the first is.
CREATE TABLE following (
    only_row boolean NOT NULL DEFAULT true,
    epoch text NOT NULL,
    sequence bigint NOT NULL,

    CONSTRAINT following_pk PRIMARY KEY (only_row),
    CONSTRAINT following_one_row CHECK (only_row)
);

INSERT INTO following (epoch, sequence) VALUES ('', 0);

-- The revision at which an event's counters, bookings and ledger were last found to agree.
CREATE TABLE audits (
    event_id bigint NOT NULL,
    rev bigint NOT NULL,

    CONSTRAINT audits_pk PRIMARY KEY (event_id)
);
