-- The people, and the keys by which tokens and programs are known.
CREATE TABLE accounts (
    id text NOT NULL,
    -- As it was given, for mail, and the form in which two spellings of one address are equal.
    email text,
    canonical_email text,
    email_verified boolean NOT NULL DEFAULT false,
    name text NOT NULL DEFAULT '',
    firstname text NOT NULL DEFAULT '',
    lastname text NOT NULL DEFAULT '',
    country text,
    role text NOT NULL DEFAULT 'USER',
    password_hash text,
    -- Tokens carry it; those of an earlier one are revoked.
    generation bigint NOT NULL DEFAULT 1,
    revoked_at timestamptz,
    banned_at timestamptz,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT accounts_id_pattern CHECK (id ~ '^acct_[a-z2-7]{26}$'),
    CONSTRAINT accounts_email_unique UNIQUE (canonical_email),
    -- A deleted account keeps its id, and nothing of the person.
    CONSTRAINT accounts_email_unless_deleted CHECK (
        (deleted_at IS NULL) = (email IS NOT NULL)
        AND (deleted_at IS NULL) = (canonical_email IS NOT NULL)
    ),
    CONSTRAINT accounts_nothing_of_the_deleted CHECK (
        deleted_at IS NULL
        OR (name = '' AND firstname = '' AND lastname = '' AND country IS NULL
            AND password_hash IS NULL)
    ),
    CONSTRAINT accounts_role_known CHECK (role IN ('USER', 'ORGANIZER', 'ADMIN')),
    CONSTRAINT accounts_generation_positive CHECK (generation >= 1),
    CONSTRAINT accounts_revoked_if_later_generation
        CHECK ((generation = 1) = (revoked_at IS NULL))
);

CREATE INDEX accounts_revoked ON accounts (revoked_at) WHERE revoked_at IS NOT NULL;

-- Each key signs from its moment until that of the next. Names that start with `dev-` are those
-- of generated keys, which production refuses.
CREATE TABLE signing_keys (
    kid text NOT NULL,
    private_key bytea NOT NULL,
    public_key bytea NOT NULL,
    signs_from timestamptz NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT signing_keys_pkey PRIMARY KEY (kid),
    CONSTRAINT signing_keys_private_key_length CHECK (octet_length(private_key) = 32),
    CONSTRAINT signing_keys_public_key_length CHECK (octet_length(public_key) = 32)
);

CREATE VIEW signing_periods AS
SELECT kid, signs_from, lead(signs_from) OVER (ORDER BY signs_from, kid) AS signs_until
FROM signing_keys;

CREATE TABLE api_keys (
    id text NOT NULL,
    -- The order in which they were made.
    number bigint GENERATED ALWAYS AS IDENTITY,
    account_id text NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    secret_sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_id_pattern CHECK (id ~ '^[a-z2-7]{16}$'),
    CONSTRAINT api_keys_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT api_keys_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_keys_secret_length CHECK (octet_length(secret_sha256) = 32),
    CONSTRAINT api_keys_scopes_known CHECK (
        cardinality(scopes) > 0
        AND scopes <@ ARRAY[
            'EVENTS_WRITE', 'BOOKINGS_READ', 'BOOKINGS_WRITE', 'BOOKINGS_ANY_USER'
        ]
    )
);

CREATE INDEX api_keys_of_account ON api_keys (account_id, number);
