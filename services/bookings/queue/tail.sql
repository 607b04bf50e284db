-- name: read_on
-- Reads the state of queues, and the next changes of who waits, each after the number that was read last.
-- A number is taken under the lock of the queue's row, which is held until the commit, so the changes of a
-- queue become visible in the order of their numbers, without gaps. Each queue is looked up by itself.
SELECT
    watched.event_id,
    news.seq,
    news.waits,
    news.places,
    queue.*
FROM unnest(%(event_ids)b::bigint[], %(seqs)b::bigint[]) AS watched (event_id, after)
CROSS JOIN LATERAL (
    SELECT {state}
    FROM queues
    WHERE queues.event_id = watched.event_id
    OFFSET 0
) AS queue
LEFT JOIN LATERAL (
    SELECT seq, waits, places
    FROM queue_changes
    WHERE queue_changes.event_id = watched.event_id
        AND queue_changes.seq > watched.after
    ORDER BY queue_changes.seq
    LIMIT %(limit)s
) AS news ON true
ORDER BY watched.event_id, news.seq
