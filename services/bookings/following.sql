-- name: get_place
-- Tells how far the catalogue's changes are applied.
SELECT epoch, sequence
FROM following

-- name: lock_place
-- Keeps other replicas from applying the same changes; the last applied one may have moved since.
SELECT epoch, sequence
FROM following
FOR UPDATE

-- name: move_place
-- Notes how far the changes are applied, in the transaction that applied them.
UPDATE following
SET epoch = %(epoch)s, sequence = %(sequence)s

-- name: list_left_over
-- Lists events of an earlier epoch, which the restored catalogue does not have.
SELECT event_id, name, capacity
FROM inventory
WHERE epoch <> %(epoch)s
ORDER BY event_id
LIMIT %(limit)s
