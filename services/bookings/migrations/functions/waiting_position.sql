-- Returns the position of the waiting entry at a place. All entries before the head have left, so only
-- those that left behind it are counted.
-- Only the release before this one uses it: Citus does not look into functions, so statements do it.
CREATE OR REPLACE FUNCTION waiting_position(event bigint, at_place bigint)
RETURNS bigint
LANGUAGE sql
STABLE
AS $$
    SELECT at_place - head.place + 1 - (
        SELECT count(*)
        FROM waiting_list
        WHERE waiting_list.event_id = event
            AND waiting_list.state <> 'WAITING'
            AND waiting_list.place > head.place
            AND waiting_list.place < at_place
    )
    FROM (
        SELECT waiting_list.place
        FROM waiting_list
        WHERE waiting_list.event_id = event
            AND waiting_list.state = 'WAITING'
        ORDER BY waiting_list.place
        LIMIT 1
    ) AS head
$$;
