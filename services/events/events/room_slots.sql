-- name: lock_rooms
-- Waits for rooms and locks them, in the order of their ids: events of a room are placed one after
-- another. Without the lock two of them, each waiting for the other's slot, would deadlock.
SELECT
FROM rooms
WHERE id = ANY (%(room_ids)s)
ORDER BY id
FOR NO KEY UPDATE

-- name: get_rooms
-- Reads rooms. Run after lock_rooms: its snapshot must be younger, to have a plan that a room got
-- while its lock was waited for.
SELECT
    rooms.id,
    rooms.plan_id,
    seat_plans.seat_count
FROM rooms
JOIN seat_plans ON seat_plans.id = rooms.plan_id
WHERE rooms.id = ANY (%(room_ids)s)

-- name: lock_movie
-- Finds a movie, even a deleted one, and keeps it as it is until the transaction ends.
SELECT
    title,
    duration_minutes,
    deleted_at IS NOT NULL AS is_deleted
FROM movies
WHERE id = %(movie_id)s
FOR SHARE

-- name: hold_slot
-- Takes a room for a change that is not decided yet: if the event has the room already, from the
-- earlier start to the later end. room_slots_no_overlap keeps it apart from other events.
INSERT INTO room_slots (event_id, room_id, starts_at, ends_at)
VALUES (%(event_id)s, %(room_id)s, %(starts_at)s, %(ends_at)s)
ON CONFLICT ON CONSTRAINT room_slots_pk DO UPDATE
SET
    starts_at = least(room_slots.starts_at, excluded.starts_at),
    ends_at = greatest(room_slots.ends_at, excluded.ends_at)

-- name: settle_slots
-- Leaves an event one room from its start to its end, or none. Where it had held that room for that
-- time nobody is in the way, and the room need not be locked.
WITH given_up AS (
    DELETE FROM room_slots
    WHERE event_id = %(event_id)s
        AND room_id IS DISTINCT FROM %(room_id)s::bigint
)
INSERT INTO room_slots (event_id, room_id, starts_at, ends_at)
SELECT
    %(event_id)s,
    %(room_id)s::bigint,
    %(starts_at)s::timestamptz,
    %(ends_at)s::timestamptz
WHERE %(room_id)s::bigint IS NOT NULL
ON CONFLICT ON CONSTRAINT room_slots_pk DO UPDATE
SET starts_at = excluded.starts_at, ends_at = excluded.ends_at
