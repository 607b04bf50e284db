-- name: find_events
-- Finds events by their keys. If a restored catalogue has used a key again, the newer event has
-- the higher number.
SELECT key, max(event_id)
FROM inventory
WHERE key = ANY (%(keys)s::text[])
GROUP BY key
