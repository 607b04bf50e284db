-- name: list_lost
-- Lists bookings of closed events that are not written as CANCELLED yet.
SELECT
    bookings.event_id,
    bookings.id,
    bookings.user_id,
    (bookings.created_at AT TIME ZONE 'UTC')::date AS day
FROM inventory
JOIN bookings ON bookings.event_id = inventory.event_id
WHERE inventory.closing
    AND bookings.status IN ('HELD', 'CONFIRMED')

-- name: list_entries
-- Lists bookings that came or went in revisions of events. Ranges of revisions would have nodes read their
-- whole ledgers.
SELECT
    entry.event_id,
    entry.rev,
    entry.user_id,
    (entry.created_at AT TIME ZONE 'UTC')::date AS day,
    entry.bookings
FROM json_to_recordset(%(unread)s) AS unread (event_id bigint, revs bigint[])
JOIN ledger_bookings AS entry ON entry.event_id = unread.event_id
    AND entry.rev = ANY (unread.revs)

-- name: lock
-- Locks the tallies until the transaction ends; returns no row while somebody else changes them. The next
-- statement sees all that was committed before.
SELECT 1
FROM tallied
FOR UPDATE SKIP LOCKED

-- name: roll_up
-- Adds entries to the tallies, except those that are in them, and records how far the events are.
WITH changed AS (
    SELECT user_id, day, sum(bookings)::integer AS change
    FROM json_to_recordset(%(entries)s)
        AS entry (event_id bigint, rev bigint, user_id text, day date, bookings integer)
    LEFT JOIN tallied_events AS tallied USING (event_id)
    WHERE entry.rev > coalesce(tallied.rev, 0)
    GROUP BY user_id, day
    HAVING sum(bookings) <> 0
),
rolled AS (
    SELECT tally(array_agg(user_id), array_agg(day), array_agg(change))
    FROM changed
)
INSERT INTO tallied_events (event_id, rev)
SELECT event_id, rev
FROM rolled, json_to_recordset(%(reached)s) AS reached (event_id bigint, rev bigint)
ON CONFLICT ON CONSTRAINT tallied_events_pk DO UPDATE
SET rev = greatest(tallied_events.rev, excluded.rev)

-- name: untallied
-- Entries and bookings that were lost, as they were read before, except those that are in the tallies by now.
SELECT user_id COLLATE "C" AS user_id, day, bookings
FROM json_to_recordset(%(entries)s)
    AS entry (event_id bigint, rev bigint, user_id text, day date, bookings integer)
LEFT JOIN tallied_events AS tallied USING (event_id)
WHERE entry.rev > coalesce(tallied.rev, 0)
UNION ALL
SELECT user_id, day, -1
FROM json_to_recordset(%(lost)s)
    AS lost (event_id bigint, id bigint, user_id text, day date)
LEFT JOIN tallied_events AS tallied USING (event_id)
WHERE lost.id > coalesce(tallied.untallied_id, 0)
