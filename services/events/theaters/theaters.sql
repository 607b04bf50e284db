-- name: create_theater
-- Stores a new theater.
INSERT INTO theaters (name, location, time_zone)
VALUES (%(name)s, %(location)s, %(time_zone)s)
RETURNING id, version, name, location, time_zone, created_at, updated_at

-- name: get_theater
-- Finds a theater.
SELECT id, version, name, location, time_zone, created_at, updated_at
FROM theaters
WHERE id = %(theater_id)s

-- name: list_theaters
-- Lists theaters, newest first.
SELECT id, version, name, location, time_zone, created_at, updated_at
FROM theaters
WHERE id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s
OFFSET %(offset)s

-- name: count_theaters
-- Counts the theaters on all pages of list_theaters.
SELECT count(*)
FROM theaters

-- name: list_rooms
-- Lists the rooms of theaters by their names.
SELECT
    rooms.theater_id,
    rooms.id,
    rooms.name,
    rooms.plan_id,
    seat_plans.seat_count AS capacity
FROM rooms
JOIN seat_plans ON seat_plans.id = rooms.plan_id
WHERE rooms.theater_id = ANY (%(theater_ids)s)
ORDER BY rooms.name, rooms.id
