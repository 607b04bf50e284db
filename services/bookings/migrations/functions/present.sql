-- Tells the time that holds end by. One function, so that a test can put the clock forward; only the
-- owner of the schema can.
CREATE OR REPLACE FUNCTION present()
RETURNS timestamptz
LANGUAGE sql
VOLATILE
AS $$
    SELECT clock_timestamp()
$$;
