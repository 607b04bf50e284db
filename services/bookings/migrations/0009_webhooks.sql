-- Webhooks: where changes of the events of an account are sent.

CREATE TABLE webhooks (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    owner_id text COLLATE "C" NOT NULL,
    url text NOT NULL,
    -- Types of changes; all when empty.
    types text[] NOT NULL,
    status text NOT NULL DEFAULT 'ENABLED',
    -- Why it was disabled by itself; empty if its owner did that.
    disabled_reason text NOT NULL DEFAULT '',
    -- Requests are signed with them, so they cannot be digests.
    secret text NOT NULL,
    former_secret text,
    former_secret_until timestamptz,
    -- The cursor of the feed after what was delivered.
    position bigint NOT NULL,
    rev bigint NOT NULL,
    -- Failed attempts since the last success, and the time of the first.
    attempts integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    -- When to deliver next; later while a worker delivers, which has the lease.
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease uuid,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT webhooks_pk PRIMARY KEY (id),
    CONSTRAINT webhooks_status_known CHECK (status IN ('ENABLED', 'DISABLED')),
    CONSTRAINT webhooks_reason_if_disabled CHECK (status = 'DISABLED' OR disabled_reason = ''),
    CONSTRAINT webhooks_former_secret_ends
        CHECK ((former_secret IS NULL) = (former_secret_until IS NULL))
);

CREATE INDEX webhooks_by_owner ON webhooks (owner_id, created_at);
CREATE INDEX webhooks_by_due_at ON webhooks (due_at) WHERE status = 'ENABLED';

-- The last attempts of each webhook.
CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY,
    webhook_id uuid NOT NULL,
    change_id text NOT NULL,
    change_type text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Status of the response; null if there was none, and then `error` tells why.
    status integer,
    error text NOT NULL,
    latency_ms integer NOT NULL,

    CONSTRAINT deliveries_pk PRIMARY KEY (webhook_id, id),
    CONSTRAINT deliveries_webhook FOREIGN KEY (webhook_id) REFERENCES webhooks ON DELETE CASCADE
);
