-- name: catalogue_lag
-- Changes of events that bookings has not applied, and the age of the oldest in seconds.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(outbox.changed_at)), 0)::float AS seconds
FROM events.outbox
WHERE outbox.sequence > (SELECT following.sequence FROM bookings.following)

-- name: undecided_changes
-- Changes of events that wait for the consent of bookings.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float AS seconds
FROM events.intents

-- name: letters
-- E-mails that were not sent yet.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(asked_at)), 0)::float AS seconds
FROM accounts.outbox

-- name: notices
-- Letters about tickets and waiting lists that accounts has not got yet, by how long they are due.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float AS seconds
FROM (
    SELECT due_at
    FROM bookings.notices
    UNION ALL
    SELECT due_at
    FROM bookings.ticket_letters
) AS due
WHERE due_at <= clock_timestamp()

-- name: webhooks
-- Enabled webhooks that fail, and for how long the first of them has.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(failing_since)), 0)::float AS seconds
FROM bookings.webhooks
WHERE status = 'ENABLED'
    AND failing_since IS NOT NULL

-- name: payments
-- Payments that are under way.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float AS seconds
FROM bookings.payments
WHERE status = 'CREATED'

-- name: refunds
-- Refunds that were not paid back yet.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float AS seconds
FROM bookings.refunds
WHERE status = 'DUE'

-- name: failed_refunds
-- Refunds that no provider can pay back: somebody has to.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float AS seconds
FROM bookings.refunds
WHERE status = 'FAILED'

-- name: holds
-- Bookings that hold seats, and the age of the oldest.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float AS seconds
FROM bookings.bookings
WHERE status = 'HELD'

-- name: ended_holds
-- Events with holds that have ended, and for how long the first one has waited to be written so.
SELECT
    count(*) AS count,
    coalesce(extract(epoch FROM clock_timestamp() - min(next_expiry_at)), 0)::float AS seconds
FROM bookings.inventory
WHERE next_expiry_at < clock_timestamp()
    AND closed_at IS NULL

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
