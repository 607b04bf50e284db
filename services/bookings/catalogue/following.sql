-- name: get_place
-- Tells how far the catalogue's changes are applied.
SELECT epoch, sequence
FROM following

-- name: move_place
-- Notes how far the changes are applied, unless another replica has moved the place meanwhile.
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
