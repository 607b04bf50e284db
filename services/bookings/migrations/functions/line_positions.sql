-- The positions of places in the waiting lists, as `waiting_position` counts them. All entries before the
-- head have left, so only those that left behind it are counted.
CREATE OR REPLACE VIEW line_positions AS
SELECT
    entry.event_id,
    entry.place,
    entry.place - head.place + 1 - (
        SELECT count(*)
        FROM waiting_list AS gone
        WHERE gone.event_id = entry.event_id
            AND gone.state <> 'WAITING'
            AND gone.place > head.place
            AND gone.place < entry.place
    ) AS position
FROM waiting_list AS entry
CROSS JOIN LATERAL (
    SELECT min(waiting.place) AS place
    FROM waiting_list AS waiting
    WHERE waiting.event_id = entry.event_id
        AND waiting.state = 'WAITING'
) AS head;
