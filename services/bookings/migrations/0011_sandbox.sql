-- The sandbox: a payment provider for development and tests, with charges of its own.

CREATE TABLE sandbox_charges (
    -- The id of the payment.
    id uuid NOT NULL,
    token text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    -- What becomes of it; it is pending before `settles_at`.
    outcome text NOT NULL,
    settles_at timestamptz NOT NULL,
    refunded_minor bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT sandbox_charges_pk PRIMARY KEY (id),
    CONSTRAINT sandbox_charges_outcome_known CHECK (outcome IN ('SUCCEEDED', 'FAILED')),
    CONSTRAINT sandbox_charges_refunded_range CHECK (
        refunded_minor = 0 OR (outcome = 'SUCCEEDED' AND refunded_minor <= amount_minor)
    )
);

CREATE TABLE sandbox_refunds (
    -- The id of the refund.
    id uuid NOT NULL,
    charge_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT sandbox_refunds_pk PRIMARY KEY (id),
    CONSTRAINT sandbox_refunds_charge FOREIGN KEY (charge_id) REFERENCES sandbox_charges,
    CONSTRAINT sandbox_refunds_amount_positive CHECK (amount_minor > 0)
);

-- Webhooks that the sandbox has yet to send.
CREATE TABLE sandbox_webhooks (
    number bigint GENERATED ALWAYS AS IDENTITY,
    charge_id uuid NOT NULL,
    -- The status that it tells of.
    status text NOT NULL,
    -- When to send it; later while a worker does so.
    due_at timestamptz NOT NULL,

    CONSTRAINT sandbox_webhooks_pk PRIMARY KEY (number),
    CONSTRAINT sandbox_webhooks_charge FOREIGN KEY (charge_id) REFERENCES sandbox_charges
);

CREATE INDEX sandbox_webhooks_by_due_at ON sandbox_webhooks (due_at);
