-- Counts the seats of an event whose holds ended before a time and are not written as EXPIRED yet. A
-- hold does not end while it is being paid.
-- Only the release before this one uses it: Citus does not look into functions, so the view `ending_holds` does it.
CREATE OR REPLACE FUNCTION ended_seats(event bigint, moment timestamptz)
RETURNS integer
LANGUAGE sql
STABLE
AS $$
    SELECT coalesce(sum(seat_count), 0)::integer
    FROM bookings
    WHERE event_id = event
        AND status = 'HELD'
        AND expires_at <= moment
        AND NOT being_paid(event_id, id)
$$;
