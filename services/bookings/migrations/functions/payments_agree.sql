-- Returns whether the sums of an event's payments are those of their refunds.
CREATE OR REPLACE FUNCTION payments_agree(event bigint)
RETURNS boolean
LANGUAGE sql
STABLE
AS $$
    SELECT NOT EXISTS (
        SELECT
        FROM payments
        CROSS JOIN LATERAL (
            SELECT
                coalesce(sum(amount_minor), 0) AS refunding,
                coalesce(sum(amount_minor) FILTER (WHERE status = 'REFUNDED'), 0) AS refunded
            FROM refunds
            WHERE refunds.event_id = event
                AND refunds.payment_id = payments.id
        ) AS given
        WHERE payments.event_id = event
            AND (refunding_minor, refunded_minor) <> (given.refunding, given.refunded)
    )
$$;
