-- The audit log. The role of the service may add rows and read them, and nothing else. Numbers follow
-- the clock; their last three digits tell entries of one microsecond and of other services apart.
CREATE SEQUENCE audit_numbers INCREMENT 3 MINVALUE 2 MAXVALUE 999 CYCLE;

CREATE TABLE audit_entries (
    id bigint NOT NULL
        DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000
            + nextval('audit_numbers'),
    created_at timestamptz NOT NULL DEFAULT now(),
    actor_kind text NOT NULL,
    actor text,
    api_key_id text,
    action text NOT NULL,
    target text,
    fields text[] NOT NULL,
    request_id text NOT NULL,
    CONSTRAINT audit_entries_pk PRIMARY KEY (id),
    CONSTRAINT audit_entries_kind_known
        CHECK (actor_kind IN ('ACCOUNT', 'API_KEY', 'SERVICE', 'COMMAND', 'ANONYMOUS'))
);

CREATE INDEX audit_entries_of_actor ON audit_entries (actor, id);

-- Deleting an entry, which only the owner of the schema can, deletes its outcome.
CREATE TABLE audit_outcomes (
    entry_id bigint NOT NULL,
    outcome text NOT NULL,
    created text,
    CONSTRAINT audit_outcomes_pk PRIMARY KEY (entry_id),
    CONSTRAINT audit_outcomes_of_entry
        FOREIGN KEY (entry_id) REFERENCES audit_entries (id) ON DELETE CASCADE
);
