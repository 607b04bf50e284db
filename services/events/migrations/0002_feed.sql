-- The feed that bookings follows.

-- One row: the last number given to a change, and the life of the catalogue that it counts in. A
-- catalogue that was restored from a backup begins another: numbers and revisions given since the
-- backup will be given again, to other changes.
CREATE TABLE head (
    only_row boolean NOT NULL DEFAULT true,
    epoch text NOT NULL,
    sequence bigint NOT NULL,
    -- Tells this database from the one that a backup was taken of; see feed.sql.
    lineage text NOT NULL,
    CONSTRAINT head_pkey PRIMARY KEY (only_row),
    CONSTRAINT head_one_row CHECK (only_row)
);

INSERT INTO head (epoch, sequence, lineage) VALUES (gen_random_uuid()::text, 0, '');

-- One row for each change, for as long as somebody may still want to follow it.
CREATE TABLE outbox (
    sequence bigint NOT NULL,
    event_id bigint NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT outbox_pkey PRIMARY KEY (sequence)
);

CREATE INDEX outbox_changed_at ON outbox (changed_at);
