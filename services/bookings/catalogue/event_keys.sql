-- name: find_events
-- Finds events by their keys. A catalogue that lost one in a restore gives later ones higher numbers.
SELECT key, max(event_id)
FROM inventory
WHERE key = ANY (%(keys)s::text[])
GROUP BY key
