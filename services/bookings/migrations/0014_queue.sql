-- Virtual queues: who may book an event while its queue is on. Every key holds event_id.

-- Since when the queue of the event is on; null while it is off.
ALTER TABLE inventory ADD COLUMN queue_since timestamptz;

-- The queue of an event. The row is the lock of all changes of its places.
CREATE TABLE queues (
    event_id bigint NOT NULL,
    enabled boolean NOT NULL,
    -- Null if it is open since it was switched on.
    opens_at timestamptz,
    rate_per_minute integer NOT NULL,
    max_active integer NOT NULL,
    admission_seconds integer NOT NULL,
    -- Number of the last one who joined; numbers have no gaps.
    last_id bigint NOT NULL DEFAULT 0,
    -- How many joined before it opened, so their places are drawn; null until it opens.
    draw_size bigint,
    -- How many of these have their places.
    drawn bigint NOT NULL DEFAULT 0,
    -- What places are drawn by; its hash is public from the start.
    seed bytea NOT NULL,
    -- Number of the last row of queue_changes.
    seq bigint NOT NULL DEFAULT 0,
    -- How many may be admitted now by the rate, with a fraction.
    credit double precision NOT NULL DEFAULT 0,
    ticked_at timestamptz,
    -- How many were admitted in a minute lately, as long as people waited.
    rate_seen double precision NOT NULL DEFAULT 0,

    CONSTRAINT queues_pk PRIMARY KEY (event_id),
    CONSTRAINT queues_numbers_in_range
        CHECK (rate_per_minute >= 0 AND max_active >= 1 AND admission_seconds >= 1),
    CONSTRAINT queues_drawn_in_range CHECK (drawn BETWEEN 0 AND coalesce(draw_size, 0))
);

CREATE INDEX queues_enabled ON queues (event_id) WHERE enabled;

CREATE TABLE queue_entries (
    event_id bigint NOT NULL,
    id bigint NOT NULL,
    -- Null until it is drawn.
    place bigint,
    user_id text COLLATE "C" NOT NULL,
    -- SHA-256 of the token.
    secret_hash bytea NOT NULL,
    state text NOT NULL,
    joined_at timestamptz NOT NULL,
    -- When there was a sign of life; written at most every few seconds.
    seen_at timestamptz NOT NULL,
    admitted_until timestamptz,

    CONSTRAINT queue_entries_pk PRIMARY KEY (event_id, id),
    CONSTRAINT queue_entries_state_known
        CHECK (state IN ('WAITING', 'AWAY', 'ADMITTED', 'DONE', 'LEFT', 'EXPIRED')),
    CONSTRAINT queue_entries_until_if_admitted
        CHECK (state <> 'ADMITTED' OR admitted_until IS NOT NULL)
) WITH (fillfactor = 70);

-- Nobody is in a queue twice.
CREATE UNIQUE INDEX queue_entries_one_per_user ON queue_entries (event_id, user_id)
    WHERE state IN ('WAITING', 'AWAY', 'ADMITTED');
CREATE INDEX queue_entries_by_user ON queue_entries (event_id, user_id, id);
CREATE INDEX queue_entries_by_secret ON queue_entries (event_id, secret_hash);
CREATE INDEX queue_entries_waiting ON queue_entries (event_id, place) WHERE state = 'WAITING';
CREATE INDEX queue_entries_away ON queue_entries (event_id, seen_at) WHERE state = 'AWAY';
CREATE INDEX queue_entries_admitted ON queue_entries (event_id, admitted_until)
    WHERE state = 'ADMITTED';

-- Which places began to wait or ceased to, in the order of the queue's lock: so positions are counted in
-- memory.
CREATE TABLE queue_changes (
    event_id bigint NOT NULL,
    seq bigint NOT NULL,
    -- Whether these places wait now.
    waits boolean NOT NULL,
    places bigint[] NOT NULL,

    CONSTRAINT queue_changes_pk PRIMARY KEY (event_id, seq)
);
