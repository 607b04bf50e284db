-- Adds changes of users' live bookings, each by the day on which the booking was made, to the
-- tallies, and updates the ranks of these users: most users have one booking and no rank. The changes
-- must differ in user or day.
CREATE OR REPLACE FUNCTION tally(user_ids text[], days date[], changes integer[])
RETURNS void
LANGUAGE plpgsql
STRICT
-- As for `reserve`: plans must be those for full tables.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
DECLARE
    ranked_users text[];
    ranked_days date[];
BEGIN
    -- The lock of all tallies: the reads below see the COMMIT of its last holder.
    PERFORM FROM tallied FOR UPDATE;

    INSERT INTO tallies (user_id, day, bookings)
    SELECT user_id, day, change
    FROM unnest(user_ids, days, changes) AS changed (user_id, day, change)
    ORDER BY user_id
    ON CONFLICT ON CONSTRAINT tallies_pk DO UPDATE
    SET bookings = tallies.bookings + excluded.bookings;

    -- All users except those who have only this one booking.
    SELECT array_agg(user_id), array_agg(day)
    INTO ranked_users, ranked_days
    FROM unnest(user_ids, days, changes) AS changed (user_id, day, change)
    WHERE change <> 1
        OR (
            SELECT true
            FROM tallies
            WHERE tallies.user_id = changed.user_id
                AND (tallies.day <> changed.day OR tallies.bookings <> 1)
            LIMIT 1
        );

    IF ranked_users IS NULL THEN
        RETURN;
    END IF;

    WITH counted AS MATERIALIZED (
        SELECT
            touched.*,
            (
                SELECT sum(tallies.bookings)
                FROM tallies
                WHERE tallies.user_id = touched.user_id
                    AND tallies.day >= touched.starts_on
                    AND tallies.day < touched.ends_on
            ) AS bookings
        FROM (
            SELECT DISTINCT user_id, period, starts_on, ends_on
            FROM unnest(ranked_users, ranked_days) AS ranked (user_id, day)
            CROSS JOIN LATERAL periods_of(day) AS periods
        ) AS touched
    ),
    unranked AS (
        DELETE FROM ranks
        USING counted
        WHERE ranks.period = counted.period
            AND ranks.starts_on = counted.starts_on
            AND ranks.user_id = counted.user_id
            AND counted.bookings < 2
    )
    INSERT INTO ranks (period, starts_on, user_id, bookings)
    SELECT period, starts_on, user_id, bookings
    FROM counted
    WHERE bookings > 1
    ON CONFLICT ON CONSTRAINT ranks_pk DO UPDATE
    SET bookings = excluded.bookings;
END;
$$;
