-- Where each table of bookings lies in a Citus cluster. distribute.sql and the tests read it.
CREATE TEMPORARY TABLE placement (
    table_name text PRIMARY KEY,
    -- Why it lies on the coordinator; null for a table that is distributed by `event_id`.
    reason text,
    -- Whether transactions change it together with an event's tables. Citus has to know such a table, so
    -- that it commits on both nodes or on none; all others are ordinary tables.
    with_events boolean NOT NULL DEFAULT false
);

-- All rows of an event lie on one node. A transaction of the core changes one event.
INSERT INTO placement (table_name)
SELECT unnest(
    '{
        inventory, bookings, waiting_list, ledger, seat_claims, seat_blocks, notices, audits,
        tickets, ticket_codes, ticket_scans, ticket_letters, payments, refunds,
        queues, queue_entries, queue_changes, progress
    }'::text[]
);

INSERT INTO placement (table_name, reason, with_events) VALUES
    ('idempotency', 'A key is known for all events.', true),
    ('provider_events', 'An event of a provider counts once, whatever it is about.', true),
    ('tallied', 'One row: how far the ledger is in the tallies, and their lock.', true),
    ('tallies', 'By user: the rankings are of all events.', true),
    ('ranks', 'By user, like the tallies.', true),
    ('feed', 'One row: the last position of the feed, and its lock.', true);

INSERT INTO placement (table_name, reason) VALUES
    ('seat_plans', 'A copy of what events has; processes keep plans in memory.'),
    ('ticket_keys', 'A few rows for all events.'),
    ('following', 'One row: the position in the feed of the catalogue.'),
    ('lineage', 'One row: which database this is.'),
    ('feed_spans', 'The feed is one sequence over all events. Changed together with `feed`.'),
    ('tallied_events', 'Changed with the tallies, and read with them.'),
    ('webhooks', 'By account, and few.'),
    ('deliveries', 'The last attempts of each webhook.'),
    ('sandbox_charges', 'The sandbox stands for a payment provider elsewhere.'),
    ('sandbox_refunds', 'The sandbox stands for a payment provider elsewhere.'),
    ('sandbox_webhooks', 'The sandbox stands for a payment provider elsewhere.'),
    ('audit_entries', 'Of all events, and of what belongs to none; few.'),
    ('audit_outcomes', 'They belong to the entries.'),
    ('schema_migrations', 'Migrations run on the coordinator.');
