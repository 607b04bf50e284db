-- Where each table of bookings lies in a Citus cluster. distribute.sql and the tests read it.
CREATE TEMPORARY TABLE placement (
    table_name text PRIMARY KEY,
    -- Why it lies on the coordinator; null for a table that is distributed by `event_id`.
    reason text
);

-- All rows of an event lie on one node. A transaction of the core changes one event.
INSERT INTO placement (table_name)
SELECT unnest(
    '{
        inventory, bookings, waiting_list, ledger, seat_claims, seat_blocks, notices, audits,
        tickets, ticket_codes, ticket_scans, ticket_letters, payments, refunds,
        queues, queue_entries, queue_changes
    }'::text[]
);

INSERT INTO placement (table_name, reason) VALUES
    ('idempotency', 'A key is known for all events. Citus commits it together with its event.'),
    ('provider_events', 'An event of a provider counts once; committed like a key.'),
    ('seat_plans', 'A copy of what events has; processes keep plans in memory.'),
    ('ticket_keys', 'A few rows for all events.'),
    ('following', 'One row: the position in the feed of the catalogue.'),
    ('lineage', 'One row: which database this is.'),
    ('tallied', 'One row: how far the ledger is in the tallies, and their lock.'),
    ('tallies', 'By user: the rankings are of all events.'),
    ('ranks', 'By user, like the tallies.'),
    ('feed', 'One row: the last position of the feed, and its lock.'),
    ('feed_spans', 'The feed is one sequence over all events.'),
    ('webhooks', 'By account, and few.'),
    ('deliveries', 'The last attempts of each webhook.'),
    ('sandbox_charges', 'The sandbox stands for a payment provider elsewhere.'),
    ('sandbox_refunds', 'The sandbox stands for a payment provider elsewhere.'),
    ('sandbox_webhooks', 'The sandbox stands for a payment provider elsewhere.'),
    ('audit_entries', 'Of all events, and of what belongs to none; few.'),
    ('audit_outcomes', 'They belong to the entries.'),
    ('schema_migrations', 'Migrations run on the coordinator.');
