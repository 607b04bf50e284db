-- The catalogue. `revision` orders the states of an event: every change takes a new one, those that
-- bookings refuses included.
CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    revision bigint NOT NULL DEFAULT 1,
    key text,
    name text NOT NULL,
    description text,
    total_seats integer NOT NULL,
    status text NOT NULL,
    starts_at timestamptz,
    venue text,
    time_zone text,
    sales_open_at timestamptz,
    sales_close_at timestamptz,
    price_amount_minor bigint,
    price_currency text,
    one_booking_per_user boolean,
    organizer_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    text_search tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector(
            'simple', name || ' ' || coalesce(description, '') || ' ' || coalesce(venue, '')
        )
    ) STORED,
    CONSTRAINT events_pkey PRIMARY KEY (id),
    -- Deleted events keep their keys, so a key never means two events.
    CONSTRAINT events_key_unique UNIQUE (key),
    CONSTRAINT events_key_pattern CHECK (key ~ '^[A-Za-z0-9._-]{1,64}$'),
    CONSTRAINT events_revision_positive CHECK (revision >= 1),
    CONSTRAINT events_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT events_description_length CHECK (char_length(description) <= 5000),
    CONSTRAINT events_venue_length CHECK (char_length(venue) <= 200),
    CONSTRAINT events_time_zone_length CHECK (char_length(time_zone) BETWEEN 1 AND 64),
    CONSTRAINT events_total_seats_range CHECK (total_seats BETWEEN 0 AND 1000000),
    CONSTRAINT events_status_known
        CHECK (status IN ('DRAFT', 'PUBLISHED', 'CANCELLED', 'COMPLETED')),
    CONSTRAINT events_sales_window CHECK (sales_close_at > sales_open_at),
    CONSTRAINT events_price_whole
        CHECK ((price_amount_minor IS NULL) = (price_currency IS NULL)),
    CONSTRAINT events_price_range CHECK (price_amount_minor BETWEEN 0 AND 1000000000000),
    CONSTRAINT events_price_currency_pattern CHECK (price_currency ~ '^[A-Z]{3}$')
);

CREATE INDEX events_text_search ON events USING gin (text_search);
CREATE INDEX events_organizer ON events (organizer_id, id DESC) WHERE deleted_at IS NULL;

-- Answers to requests with a key. One without an answer belongs to an open intent, or to a
-- transaction that is still running and that nobody else can see.
CREATE TABLE idempotency (
    caller text NOT NULL,
    operation text NOT NULL,
    request_id text NOT NULL,
    fingerprint bytea NOT NULL,
    refused boolean,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (caller, operation, request_id),
    CONSTRAINT idempotency_answer_whole CHECK ((refused IS NULL) = (answer IS NULL))
);

CREATE INDEX idempotency_created_at ON idempotency (created_at);

-- Changes that bookings has to decide, at most one for each event: `changes` are the columns of
-- `events` that take a new value once bookings agrees.
CREATE TABLE intents (
    event_id bigint NOT NULL,
    revision bigint NOT NULL,
    changes jsonb NOT NULL,
    caller text,
    operation text,
    request_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT intents_pkey PRIMARY KEY (event_id),
    CONSTRAINT intents_event FOREIGN KEY (event_id) REFERENCES events (id),
    CONSTRAINT intents_request FOREIGN KEY (caller, operation, request_id)
        REFERENCES idempotency (caller, operation, request_id),
    CONSTRAINT intents_request_whole
        CHECK (num_nulls(caller, operation, request_id) IN (0, 3))
);
