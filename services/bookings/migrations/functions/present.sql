-- Returns the time that decides when holds end. It is one function, so that a test can move the clock;
-- only the owner of the schema can replace it.
CREATE OR REPLACE FUNCTION present()
RETURNS timestamptz
LANGUAGE sql
VOLATILE
AS $$
    SELECT clock_timestamp()
$$;
