-- Prepares the feed of changes and the tallies to go by revisions of events from now on: run it as the owner while
-- bookings is stopped, before distribute.sql. Nothing is counted twice and nothing is missed. Again
-- it does nothing.
DO $$
DECLARE
    everything CONSTANT xid8 := '18446744073709551615';
    now CONSTANT pg_snapshot := pg_current_snapshot();
    fed pg_snapshot;
BEGIN
    IF (SELECT after_txid FROM bookings.tallied) = everything THEN
        RETURN;
    END IF;

    -- The rest of the ledger, as the roll-up would add it.
    PERFORM set_config('search_path', 'bookings', true);
    PERFORM tally(array_agg(user_id), array_agg(day), array_agg(change))
    FROM (
        SELECT user_id, (created_at AT TIME ZONE 'UTC')::date AS day, sum(bookings)::integer AS change
        FROM ledger_bookings
        WHERE txid > (SELECT after_txid FROM tallied)
        GROUP BY user_id, day
        HAVING sum(bookings) <> 0
    ) AS changed;

    UPDATE tallied SET after_txid = everything;

    INSERT INTO tallied_events (event_id, rev)
    SELECT event_id, rev
    FROM inventory;

    -- The feed has what its snapshot saw. It has also what a former database wrote whose dump was loaded,
    -- with numbers of transactions that are still to come here.
    SELECT seen INTO fed FROM feed;

    INSERT INTO progress (event_id, fed_rev, tallied_rev)
    SELECT
        event_id,
        coalesce((
            SELECT max(ledger.rev)
            FROM ledger
            WHERE ledger.event_id = inventory.event_id
                AND (pg_visible_in_snapshot(txid, fed) OR txid >= pg_snapshot_xmax(now))
        ), 0),
        rev
    FROM inventory;
END
$$;
