-- name: list_behind
-- Lists events whose ledger has more than was read. Each node compares its own events, all of them, since
-- an index of that would make every booking dearer.
SELECT
    inventory.event_id,
    coalesce({column}, 0) AS after,
    rev,
    organizer_id
FROM inventory
LEFT JOIN progress USING (event_id)
WHERE rev > coalesce({column}, 0)
ORDER BY inventory.event_id

-- name: note
-- Records how far events were read.
INSERT INTO progress (event_id, {column})
SELECT event_id, rev
FROM json_to_recordset(%(reached)s) AS reached (event_id bigint, rev bigint)
ON CONFLICT ON CONSTRAINT progress_pk DO UPDATE
SET {column} = greatest(progress.{column}, excluded.{column})
