-- name: list_states
-- Reads the states of some events, to compare them with the catalogue.
SELECT
    event_id,
    epoch,
    catalogue_rev,
    capacity,
    status,
    deleted,
    plan_id
FROM inventory
WHERE event_id = ANY (%(event_ids)s::bigint[])

-- name: due_audits
-- Lists the next events that have changed since their last audit.
SELECT event_id
FROM inventory
LEFT JOIN audits USING (event_id)
WHERE event_id > %(after)s
    AND audits.rev IS DISTINCT FROM inventory.rev
ORDER BY event_id
LIMIT %(limit)s

-- name: audit
-- Compares counters, bookings and ledger of events in one snapshot.
SELECT
    due.event_id,
    due.rev,
    due.sold + due.held = live.seats
        AND due.sold = live.sold
        AND due.live_bookings = live.bookings
        AND due.waiting = line.entries
        AND due.sold + due.held + due.blocked = entries.seats
        -- Those before the last nine digits count restores, see inventory/restoring.sql.
        AND due.rev %% 1000000000 = entries.revs
        AND due.rev = entries.last_rev
        AND due.capacity = entries.capacity
        AND due.blocked = map.blocked
        AND due.sold + due.held + due.blocked = coalesce(map.taken, due.sold + due.held + due.blocked)
            AS agrees
FROM inventory AS due
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(seat_count), 0) AS seats,
        coalesce(sum(seat_count) FILTER (WHERE status = 'CONFIRMED'), 0) AS sold,
        count(*) AS bookings
    FROM bookings
    WHERE bookings.event_id = due.event_id
        AND bookings.status IN ('HELD', 'CONFIRMED')
        AND due.closed_at IS NULL
) AS live
CROSS JOIN LATERAL (
    SELECT count(*) AS entries
    FROM waiting_list
    WHERE waiting_list.event_id = due.event_id
        AND waiting_list.state = 'WAITING'
        AND due.closed_at IS NULL
) AS line
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(seats), 0) AS seats,
        count(*) AS revs,
        max(rev) AS last_rev,
        (array_agg(capacity ORDER BY rev DESC) FILTER (WHERE capacity IS NOT NULL))[1] AS capacity
    FROM ledger
    WHERE ledger.event_id = due.event_id
) AS entries
CROSS JOIN LATERAL (
    SELECT sum(taken_count) AS taken, coalesce(sum(bit_count(blocked)), 0) AS blocked
    FROM seat_blocks
    WHERE seat_blocks.event_id = due.event_id
        AND due.closed_at IS NULL
) AS map
WHERE due.event_id = ANY (%(event_ids)s::bigint[])
ORDER BY due.event_id

-- name: disagreeing
-- Lists events whose seats or payments contradict each other.
SELECT event_id
FROM unnest(%(event_ids)s::bigint[]) AS audited (event_id)
WHERE NOT seats_agree(event_id)
    OR NOT payments_agree(event_id)

-- name: note_audits
-- Stores the revisions at which events passed the audit.
INSERT INTO audits (event_id, rev)
SELECT event_id, rev
FROM unnest(%(event_ids)s::bigint[], %(revs)s::bigint[]) AS found (event_id, rev)
ON CONFLICT ON CONSTRAINT audits_pk DO UPDATE
SET rev = excluded.rev
