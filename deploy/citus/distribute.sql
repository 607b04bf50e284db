-- Distributes the tables of bookings in a Citus cluster: run it on the coordinator as the owner, after
-- placement.sql and progress.sql in the same session, and again after each migration. It moves the rows
-- that are there, so stop bookings first.
DO $$
DECLARE
    placed record;
BEGIN
    IF (SELECT after_txid FROM bookings.tallied) <> '18446744073709551615' THEN
        RAISE EXCEPTION 'run progress.sql first';
    END IF;

    FOR placed IN
        SELECT format('bookings.%I', table_name) AS name, reason
        FROM placement
        WHERE reason IS NULL
            OR with_events
        -- The others of an event are placed beside its inventory.
        ORDER BY table_name <> 'inventory', table_name
    LOOP
        IF EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = placed.name::regclass) THEN
            CONTINUE;
        END IF;
        IF placed.reason IS NOT NULL THEN
            PERFORM citus_add_local_table_to_metadata(placed.name);
        ELSE
            PERFORM create_distributed_table(
                placed.name,
                'event_id',
                colocate_with => CASE
                    WHEN placed.name = 'bookings.inventory' THEN 'none'
                    ELSE 'bookings.inventory'
                END
            );
        END IF;
        COMMIT;
    END LOOP;
END
$$;
