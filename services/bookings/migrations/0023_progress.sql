-- How far readers of the ledger are in each event, where bookings is distributed by event
-- (BOOKINGS_DISTRIBUTED). On a single PostgreSQL they go by transactions, and nobody reads these tables.

-- Beside the events, so that each node can look for events that have more. The reader is at least so
-- far: it records that after its transaction. No row: it has not begun.
CREATE TABLE progress (
    event_id bigint NOT NULL,
    -- How far the event is in the feed of changes.
    fed_rev bigint NOT NULL DEFAULT 0,
    -- How far it is in the tallies.
    tallied_rev bigint NOT NULL DEFAULT 0,

    CONSTRAINT progress_pk PRIMARY KEY (event_id)
);

-- How far an event is in the tallies exactly. The transaction that changes the tallies changes this.
CREATE TABLE tallied_events (
    event_id bigint NOT NULL,
    rev bigint NOT NULL DEFAULT 0,
    -- Its bookings up to this one were taken out of the tallies, because it was closed.
    untallied_id bigint NOT NULL DEFAULT 0,

    CONSTRAINT tallied_events_pk PRIMARY KEY (event_id)
);
