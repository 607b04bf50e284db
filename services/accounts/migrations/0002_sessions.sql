-- When the account asked to become an organizer, where the operator decides that.
ALTER TABLE accounts ADD COLUMN organizer_asked_at timestamptz;

-- Log-ins, each with the one refresh token that is good now, as its digest. `nonce` and the token
-- before it give that token again, to whoever still has the one before; nobody else can tell it.
CREATE TABLE sessions (
    id uuid NOT NULL,
    account_id text NOT NULL,
    current_sha256 bytea NOT NULL,
    previous_sha256 bytea,
    nonce bytea,
    rotated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT sessions_current_length CHECK (octet_length(current_sha256) = 32),
    CONSTRAINT sessions_rotation_whole
        CHECK (num_nulls(previous_sha256, nonce, rotated_at) IN (0, 3))
);

CREATE INDEX sessions_of_account ON sessions (account_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- The one code of an address, whatever it is for. Only HMACs of both are here, that of the code from
-- when it is mailed until it is used. `asked_at` are the times it was asked for, the last 20 at most.
CREATE TABLE codes (
    address_hmac bytea NOT NULL,
    purpose text NOT NULL,
    account_id text,
    hmac bytea,
    tries integer NOT NULL DEFAULT 0,
    expires_at timestamptz,
    asked_at timestamptz[] NOT NULL,
    CONSTRAINT codes_pkey PRIMARY KEY (address_hmac),
    CONSTRAINT codes_purpose_known CHECK (purpose IN ('REGISTER', 'RESET', 'CHANGE_EMAIL')),
    CONSTRAINT codes_tries_range CHECK (tries BETWEEN 0 AND 5),
    CONSTRAINT codes_asked_at_range CHECK (cardinality(asked_at) BETWEEN 1 AND 20),
    CONSTRAINT codes_mailed_whole CHECK ((hmac IS NULL) = (expires_at IS NULL))
);

CREATE INDEX codes_asked_last ON codes ((asked_at[cardinality(asked_at)]));

-- Letters to be mailed, without their text: that is written when one is sent, code and all, so
-- nothing secret is ever here. A letter that is sent or given up is deleted.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY,
    canonical_email text NOT NULL,
    email text NOT NULL,
    letter text NOT NULL,
    asked_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_letter_once UNIQUE (canonical_email, letter)
);

CREATE INDEX outbox_due_at ON outbox (due_at);
