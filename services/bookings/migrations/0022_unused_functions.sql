-- Statements count positions and look at payments themselves: Citus does not look into functions.
DROP FUNCTION IF EXISTS waiting_position(bigint, bigint);
DROP FUNCTION IF EXISTS ended_seats(bigint, timestamptz);

-- In databases of older releases a view uses it, which is replaced after this file. It stays there.
DO $$
BEGIN
    DROP FUNCTION IF EXISTS being_paid(bigint, bigint);
EXCEPTION
    WHEN dependent_objects_still_exist THEN
        RAISE NOTICE 'being_paid stays, unused';
END
$$;
