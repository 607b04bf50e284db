-- Returns whether a payment of a booking is under way. A hold does not end meanwhile.
-- Only the release before this one uses it: Citus does not look into functions, so the view `ending_holds` does it.
CREATE OR REPLACE FUNCTION being_paid(event bigint, booking bigint)
RETURNS boolean
LANGUAGE sql
STABLE
AS $$
    SELECT EXISTS (
        SELECT
        FROM payments
        WHERE payments.event_id = event
            AND payments.booking_id = booking
            AND payments.status = 'CREATED'
    )
$$;
