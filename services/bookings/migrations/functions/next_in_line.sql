-- Chooses who of those that wait for an event is next, by their places, if so many seats are free: from
-- the head for as long as seats suffice. A head that wants more waits for its seats, and all behind it
-- wait too, unless it has held them up for longer than the event allows: then those pass who fit. Who
-- wants more than the event has at all holds nobody up.
-- The caller has the event's lock.
CREATE OR REPLACE FUNCTION next_in_line(
    stock inventory,
    free integer,
    moment timestamptz,
    at_most integer
)
RETURNS bigint[]
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    chosen bigint[];
    unused integer;
    head waiting_list;
    entry waiting_list;
BEGIN
    SELECT coalesce(array_agg(place ORDER BY place), '{}'), free - coalesce(sum(seat_count), 0)
    INTO chosen, unused
    FROM (
        SELECT place, seat_count, sum(seat_count) OVER (ORDER BY place) AS wanted
        FROM (
            SELECT place, seat_count
            FROM waiting_list
            WHERE event_id = stock.event_id
                AND state = 'WAITING'
                AND seat_count <= stock.capacity
            ORDER BY place
            LIMIT least(free, at_most)
        ) AS front
    ) AS queue
    WHERE wanted <= free;

    IF unused = 0 OR stock.skip_fit_after_seconds IS NULL OR cardinality(chosen) = at_most THEN
        RETURN chosen;
    END IF;

    FOR entry IN
        SELECT *
        FROM waiting_list
        WHERE event_id = stock.event_id
            AND state = 'WAITING'
            AND seat_count <= stock.capacity
            AND place > coalesce(chosen[cardinality(chosen)], 0)
        ORDER BY place
    LOOP
        IF head IS NULL THEN
            head := entry;
            UPDATE waiting_list
            SET blocked_since = coalesce(blocked_since, moment)
            WHERE event_id = stock.event_id
                AND place = head.place
                AND blocked_since IS NULL;
            EXIT WHEN head.blocked_since IS NULL
                OR moment < head.blocked_since + make_interval(secs => stock.skip_fit_after_seconds);
        ELSIF entry.seat_count <= unused THEN
            chosen := chosen || entry.place;
            unused := unused - entry.seat_count;
            EXIT WHEN unused = 0 OR cardinality(chosen) = at_most;
        END IF;
    END LOOP;
    RETURN chosen;
END;
$$;
