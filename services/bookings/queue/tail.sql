-- name: read_states
-- Reads the states of queues, and the numbers of their last changes.
SELECT event_id, seq, {state}
FROM queues
WHERE event_id = ANY (%(event_ids)b::bigint[])

-- name: read_next
-- Reads the next changes of who waits, after the number that was read last. A number is taken under the lock
-- of the queue's row, which is held until the commit, so the changes of a queue become visible in the order of
-- their numbers, without gaps.
SELECT seq, waits, places
FROM queue_changes
WHERE event_id = %(event_id)s
    AND seq > %(after)s
ORDER BY seq
LIMIT %(limit)s
