-- Payments of bookings, what is paid back, and the events of providers that were worked on.

CREATE TABLE payments (
    event_id bigint NOT NULL,
    -- Random; the provider's idempotency key.
    id uuid NOT NULL,
    -- The order in which the payments of a user are listed.
    number bigint GENERATED ALWAYS AS IDENTITY,
    booking_id bigint NOT NULL,
    -- The user of the booking, who pays.
    user_id text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    status text NOT NULL,
    -- The price of the booking when the payment was started.
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    created_at timestamptz NOT NULL,
    -- What the provider received, in its currency. If that is not the price, the payment is mismatched.
    received_minor bigint NOT NULL DEFAULT 0,
    received_currency text,
    mismatched boolean NOT NULL DEFAULT false,
    -- The sum of all refunds, and of those that were paid back.
    refunding_minor bigint NOT NULL DEFAULT 0,
    refunded_minor bigint NOT NULL DEFAULT 0,
    -- The provider's own name of the payment.
    provider_reference text COLLATE "C",
    -- When the provider said what became of it.
    settled_at timestamptz,
    -- When the provider is asked next what became of a payment that is CREATED.
    next_look_at timestamptz NOT NULL DEFAULT clock_timestamp() + interval '10 seconds',

    CONSTRAINT payments_pk PRIMARY KEY (event_id, id),
    CONSTRAINT payments_status_known
        CHECK (status IN ('CREATED', 'SUCCEEDED', 'FAILED', 'REFUND_DUE', 'REFUNDED')),
    CONSTRAINT payments_amount_positive CHECK (amount_minor > 0),
    CONSTRAINT payments_received_once CHECK (mismatched OR received_minor IN (0, amount_minor)),
    CONSTRAINT payments_never_refunded_twice CHECK (
        0 <= refunded_minor
        AND refunded_minor <= refunding_minor
        AND refunding_minor <= received_minor
    ),
    CONSTRAINT payments_status_agrees CHECK (
        CASE status
            WHEN 'SUCCEEDED' THEN refunding_minor = refunded_minor AND refunded_minor < received_minor
            WHEN 'REFUND_DUE' THEN refunding_minor > refunded_minor
            WHEN 'REFUNDED' THEN refunded_minor = received_minor AND received_minor > 0
            ELSE received_minor = 0
        END
    ),
    CONSTRAINT payments_settled_unless_created CHECK ((status = 'CREATED') = (settled_at IS NULL)),
    CONSTRAINT payments_currency_if_received
        CHECK ((received_minor > 0) = (received_currency IS NOT NULL))
);

-- One attempt is under way for a booking, and one payment buys it, whatever the interleaving.
CREATE UNIQUE INDEX payments_one_under_way ON payments (event_id, booking_id)
    WHERE status = 'CREATED';
CREATE UNIQUE INDEX payments_one_buys ON payments (event_id, booking_id)
    WHERE received_minor > refunding_minor;
CREATE INDEX payments_by_id ON payments (id);
CREATE INDEX payments_by_booking ON payments (booking_id);
CREATE INDEX payments_by_user ON payments (user_id, number);
CREATE INDEX payments_to_look_at ON payments (next_look_at) WHERE status = 'CREATED';

CREATE TABLE refunds (
    event_id bigint NOT NULL,
    -- The provider's idempotency key. That of the rest of a payment follows from the payment's id.
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    booking_id bigint NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    -- FAILED if the provider cannot pay it back: somebody has to.
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    refunded_at timestamptz,
    provider_reference text COLLATE "C",
    -- When the provider is asked next to pay back a refund that is DUE, and how often it was.
    next_try_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,

    CONSTRAINT refunds_pk PRIMARY KEY (event_id, id),
    CONSTRAINT refunds_amount_positive CHECK (amount_minor > 0),
    CONSTRAINT refunds_reason_known CHECK (
        reason IN (
            'REQUESTED', 'BOOKING_CANCELLED', 'EVENT_CANCELLED', 'SEATS_GONE', 'PAID_TWICE',
            'AMOUNT_DIFFERS'
        )
    ),
    CONSTRAINT refunds_status_known CHECK (status IN ('DUE', 'REFUNDED', 'FAILED')),
    CONSTRAINT refunds_refunded_at_if_refunded
        CHECK ((status = 'REFUNDED') = (refunded_at IS NOT NULL))
);

CREATE INDEX refunds_by_id ON refunds (id);
CREATE INDEX refunds_by_payment ON refunds (payment_id);
CREATE INDEX refunds_due ON refunds (next_try_at) WHERE status = 'DUE';

-- Events of providers, each stored in the transaction of what it changed.
CREATE TABLE provider_events (
    provider text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    event_id bigint NOT NULL,
    payment_id uuid NOT NULL,
    received_at timestamptz NOT NULL,

    CONSTRAINT provider_events_pk PRIMARY KEY (provider, id)
);

-- Whether the refunds of all payments of a closed event are written.
ALTER TABLE inventory
    ADD COLUMN refunds_written boolean NOT NULL DEFAULT false;
CREATE INDEX inventory_to_refund ON inventory (event_id)
    WHERE closed_at IS NOT NULL AND NOT refunds_written;

-- REGAINED is a booking that had expired and was paid late, while its seats were still free. REFUND_DUE
-- and REFUNDED are about the money of a booking.
ALTER TABLE ledger
    DROP CONSTRAINT ledger_kind_known,
    ADD CONSTRAINT ledger_kind_known CHECK (
        kind IN (
            'OPENED', 'RESIZED', 'CLOSED', 'RESERVED', 'CANCELLED',
            'JOINED', 'LEFT', 'SERVED', 'OFFERED', 'ACCEPTED', 'EXPIRED',
            'HELD', 'CONFIRMED', 'EXTENDED', 'BLOCKED', 'UNBLOCKED', 'TICKETED',
            'REGAINED', 'REFUND_DUE', 'REFUNDED'
        )
    ) NOT VALID;
