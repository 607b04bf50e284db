-- name: get_place
-- Reads the position in the feed up to which changes are applied.
SELECT epoch, sequence
FROM following

-- name: move_place
-- Moves the position in the feed, unless another replica has moved it first.
UPDATE following
SET epoch = %(epoch)s, sequence = %(sequence)s
WHERE epoch = %(left_epoch)s
    AND sequence = %(left_sequence)s

-- name: list_left_over
-- Lists events of an earlier epoch, which the restored catalogue does not have.
SELECT event_id, name, capacity
FROM inventory
WHERE epoch <> %(epoch)s
ORDER BY event_id
LIMIT %(limit)s
