-- name: connected
-- Names those who are connected to a database besides the caller.
SELECT DISTINCT coalesce(nullif(application_name, ''), usename, 'somebody')
FROM pg_stat_activity
WHERE datname = %(name)s
    AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
ORDER BY 1

-- name: disconnect
-- Ends all other sessions of a database.
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE datname = %(name)s
    AND pid <> pg_backend_pid()

-- name: sequences
-- Lists the sequences of the services, and the numbers that they gave last.
SELECT format('%I.%I', schemaname, sequencename), last_value
FROM pg_sequences
WHERE schemaname IN ('accounts', 'events', 'bookings')
    AND last_value IS NOT NULL

-- name: continue_sequence
-- Lets a sequence go on after a number, unless it is past it.
SELECT setval(
    sequence.oid::regclass,
    greatest(%(last)s::bigint, coalesce(pg_sequence_last_value(sequence.oid), 1))
)
FROM (SELECT to_regclass(%(name)s)::oid AS oid) AS sequence
WHERE sequence.oid IS NOT NULL

-- name: get_restores
-- Reads how often bookings was restored.
SELECT restores
FROM bookings.lineage

-- name: continue_restores
-- Counts on from the restores of the database that is replaced: the same backup may be restored twice.
UPDATE bookings.lineage
SET restores = greatest(restores, %(restores)s)

-- name: find_tables
-- Has the functions of bookings find its tables.
SET LOCAL search_path TO bookings

-- name: continue_rankings
-- Lets the roll-up go on if the backup is of a server that has given more numbers of transactions: what it
-- writes from now on would seem to be in the tallies. Adds the rest of the ledger to them, and gives
-- all rows with numbers that are still to come here the first number that there is.
WITH ahead AS (
    SELECT after_txid
    FROM tallied
    WHERE after_txid >= pg_snapshot_xmax(pg_current_snapshot())
),
rolled AS (
    SELECT tally(array_agg(user_id), array_agg(day), array_agg(change))
    FROM (
        SELECT
            user_id,
            (created_at AT TIME ZONE 'UTC')::date AS day,
            sum(bookings)::integer AS change
        FROM ledger_bookings
        WHERE txid > (SELECT after_txid FROM ahead)
        GROUP BY user_id, day
        HAVING sum(bookings) <> 0
    ) AS changed
),
renumbered AS (
    UPDATE ledger
    SET txid = '3'
    FROM ahead
    WHERE txid >= pg_snapshot_xmax(pg_current_snapshot())
)
UPDATE tallied
SET after_txid = '3'
FROM ahead, rolled
