-- name: create_room
-- Stores a new room with its first plan; returns no row where there is no such theater. Each refers
-- to the other, so one statement makes both.
WITH theater AS (
    UPDATE theaters
    SET version = version + 1, updated_at = now()
    WHERE id = %(theater_id)s
    RETURNING id
),
ids AS (
    SELECT
        theater.id AS theater_id,
        nextval(pg_get_serial_sequence('rooms', 'id')) AS room_id,
        nextval(pg_get_serial_sequence('seat_plans', 'id')) AS plan_id
    FROM theater
),
first_plan AS (
    INSERT INTO seat_plans (id, room_id, seat_count, plan, digest)
    SELECT plan_id, room_id, %(seat_count)s::integer, %(plan)s::bytea, %(digest)s::bytea
    FROM ids
)
INSERT INTO rooms (id, theater_id, name, plan_id)
SELECT room_id, theater_id, %(name)s, plan_id
FROM ids
RETURNING
    id,
    theater_id,
    version,
    name,
    plan_id,
    %(seat_count)s::integer AS capacity,
    created_at,
    updated_at

-- name: get_room
-- Finds a room.
SELECT
    rooms.id,
    rooms.theater_id,
    rooms.version,
    rooms.name,
    rooms.plan_id,
    seat_plans.seat_count AS capacity,
    rooms.created_at,
    rooms.updated_at
FROM rooms
JOIN seat_plans ON seat_plans.id = rooms.plan_id
WHERE rooms.id = %(room_id)s

-- name: lock_room
-- Waits for the room's row and locks it: changes of a room are made one after another. The room is
-- read by a statement of its own, whose snapshot is younger.
SELECT
FROM rooms
WHERE id = %(room_id)s
FOR NO KEY UPDATE

-- name: change_room
-- Writes a room that the transaction has locked under its next version, and one of its theater,
-- which shows it.
WITH theater AS (
    UPDATE theaters
    SET version = version + 1, updated_at = now()
    WHERE id = (SELECT theater_id FROM rooms WHERE id = %(room_id)s)
)
UPDATE rooms
SET
    name = %(name)s,
    plan_id = %(plan_id)s,
    version = version + 1,
    updated_at = now()
WHERE id = %(room_id)s

-- name: add_plan
-- Stores a plan, unless the room has or had the same one.
INSERT INTO seat_plans (room_id, seat_count, plan, digest)
VALUES (%(room_id)s, %(seat_count)s, %(plan)s, %(digest)s)
ON CONFLICT ON CONSTRAINT seat_plans_once DO NOTHING

-- name: get_plan_of_digest
-- Finds a plan of a room by its content.
SELECT id
FROM seat_plans
WHERE room_id = %(room_id)s
    AND digest = %(digest)s

-- name: get_plan
-- Finds a plan.
SELECT id, room_id, seat_count, plan
FROM seat_plans
WHERE id = %(plan_id)s
