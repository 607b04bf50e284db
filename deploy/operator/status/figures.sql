-- name: backlogs
-- How many of each kind wait, and the seconds for which the oldest has; no row if none does.
WITH waiting (kind, since) AS (
    -- Changes of events that bookings has not applied.
    SELECT 'catalogue_lag', changed_at
    FROM events.outbox
    WHERE outbox.sequence > (SELECT following.sequence FROM bookings.following)
    UNION ALL
    -- Changes of events that wait for the consent of bookings.
    SELECT 'undecided_changes', created_at
    FROM events.intents
    UNION ALL
    -- E-mails that were not sent yet.
    SELECT 'letters', asked_at
    FROM accounts.outbox
    UNION ALL
    -- Letters about tickets and waiting lists that accounts has not got yet, by how long they are due.
    SELECT 'notices', due_at
    FROM bookings.notices
    WHERE due_at <= clock_timestamp()
    UNION ALL
    SELECT 'notices', due_at
    FROM bookings.ticket_letters
    WHERE due_at <= clock_timestamp()
    UNION ALL
    -- Enabled webhooks that fail.
    SELECT 'webhooks', failing_since
    FROM bookings.webhooks
    WHERE status = 'ENABLED'
        AND failing_since IS NOT NULL
    UNION ALL
    -- Payments that are under way.
    SELECT 'payments', created_at
    FROM bookings.payments
    WHERE status = 'CREATED'
    UNION ALL
    -- Refunds that were not paid back yet.
    SELECT 'refunds', created_at
    FROM bookings.refunds
    WHERE status = 'DUE'
    UNION ALL
    -- Refunds that no provider can pay back: somebody has to.
    SELECT 'failed_refunds', created_at
    FROM bookings.refunds
    WHERE status = 'FAILED'
    UNION ALL
    -- Bookings that hold seats.
    SELECT 'holds', created_at
    FROM bookings.bookings
    WHERE status = 'HELD'
    UNION ALL
    -- Events with holds that have ended, by how long the first one has waited to be written so.
    SELECT 'ended_holds', next_expiry_at
    FROM bookings.inventory
    WHERE next_expiry_at < clock_timestamp()
        AND closed_at IS NULL
)
SELECT
    kind,
    count(*) AS count,
    extract(epoch FROM clock_timestamp() - min(since))::float AS seconds
FROM waiting
GROUP BY kind

-- name: frozen
-- Events that sell nothing because their counters disagree, and with what.
SELECT event_id, frozen
FROM bookings.inventory
WHERE frozen <> ''
ORDER BY event_id

-- name: waiting
-- How many are in waiting lists.
SELECT coalesce(sum(waiting), 0)::bigint
FROM bookings.inventory
WHERE closed_at IS NULL

-- name: queues
-- The longest queues: who waits, and who was admitted.
SELECT
    event_id,
    count(*) FILTER (WHERE state IN ('WAITING', 'AWAY')) AS waiting,
    count(*) FILTER (WHERE state = 'ADMITTED') AS admitted
FROM bookings.queue_entries
WHERE state IN ('WAITING', 'AWAY', 'ADMITTED')
GROUP BY event_id
ORDER BY waiting DESC, event_id
LIMIT 10

-- name: sessions
-- Connections of each service.
SELECT application_name, count(*)
FROM pg_stat_activity
WHERE datname = current_database()
    AND application_name LIKE 'boxoffice-%'
GROUP BY application_name
ORDER BY application_name
