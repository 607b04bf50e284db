-- The feed of changes: committed rows of the ledger in an order in which no row appears late.

-- One row, the lock of the worker that moves the feed forward.
CREATE TABLE feed (
    only_row boolean NOT NULL DEFAULT true,
    -- The position that was given last.
    position bigint NOT NULL,
    -- The spans up to this position were deleted because they were too old.
    forgotten bigint NOT NULL,
    -- The transactions whose rows are in the feed: those that this snapshot sees.
    seen pg_snapshot NOT NULL,

    CONSTRAINT feed_pk PRIMARY KEY (only_row),
    CONSTRAINT feed_one_row CHECK (only_row)
);

INSERT INTO feed (position, forgotten, seen) VALUES (0, 0, pg_current_snapshot());

-- Changes of one event that follow each other: its ledger from one revision to another.
CREATE TABLE feed_spans (
    position bigint NOT NULL,
    event_id bigint NOT NULL,
    -- The account that made the event; null if somebody without a token did.
    organizer_id text COLLATE "C",
    first_rev bigint NOT NULL,
    last_rev bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT feed_spans_pk PRIMARY KEY (position),
    CONSTRAINT feed_spans_not_empty CHECK (first_rev <= last_rev)
);

CREATE INDEX feed_spans_by_organizer ON feed_spans (organizer_id, position);
CREATE INDEX feed_spans_by_event ON feed_spans (event_id, last_rev);
