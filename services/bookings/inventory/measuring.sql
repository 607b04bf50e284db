-- name: measure
-- Counts events that sell nothing because their numbers are wrong, and reads how long ago the oldest
-- hold that is still written as held has ended: its seats wait to be sold or offered.
SELECT
    count(*) FILTER (WHERE frozen = 'COUNTERS') AS counters,
    count(*) FILTER (WHERE frozen = 'CATALOGUE') AS catalogue,
    coalesce(
        extract(epoch FROM present() - min(next_expiry_at) FILTER (WHERE next_expiry_at < present())),
        0
    )::float8 AS sweep_lag_seconds
FROM inventory
WHERE frozen <> ''
    OR next_expiry_at < present()
