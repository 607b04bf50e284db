-- name: named_tickets
-- Reads the tickets of bookings.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, booking_id bigint)
CROSS JOIN LATERAL (
    SELECT event_id, id, booking_id, user_id, created_at, valid_at
    FROM tickets
    WHERE tickets.event_id = asked.event_id
        AND tickets.booking_id = asked.booking_id
    OFFSET 0
) AS found

-- name: users_tickets
-- Reads the tickets of all live bookings of users; see users_bookings.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, user_id text)
CROSS JOIN LATERAL (
    SELECT tickets.event_id, tickets.id, booking_id, tickets.user_id, tickets.created_at, valid_at
    FROM bookings
    JOIN tickets ON tickets.event_id = bookings.event_id
        AND tickets.booking_id = bookings.id
    WHERE bookings.event_id + 0 = asked.event_id
        AND bookings.user_id = asked.user_id
        AND bookings.status IN ('HELD', 'CONFIRMED')
    OFFSET 0
) AS found

-- name: lock_tickets
-- Locks tickets, which are also the locks of scans. A ticket that is scanned at this moment is left
-- out: nobody who holds the lock of an event waits for a scan.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, booking_id bigint)
CROSS JOIN LATERAL (
    SELECT event_id, booking_id
    FROM tickets
    WHERE tickets.event_id = asked.event_id
        AND tickets.booking_id = asked.booking_id
    OFFSET 0
    FOR NO KEY UPDATE SKIP LOCKED
) AS found

-- name: ticket_uses
-- Reads when tickets were used first. It runs after lock_tickets, so that it sees every scan that had
-- the lock before.
SELECT found.*
FROM json_to_recordset(%(asked)s::json) AS asked (event_id bigint, booking_id bigint)
CROSS JOIN LATERAL (
    SELECT tickets.event_id, tickets.booking_id, min(used_at) AS used_at
    FROM tickets
    JOIN ticket_codes ON ticket_codes.event_id = tickets.event_id
        AND ticket_codes.ticket_id = tickets.id
    WHERE tickets.event_id = asked.event_id
        AND tickets.booking_id = asked.booking_id
    GROUP BY tickets.event_id, tickets.booking_id
    OFFSET 0
) AS found

-- name: save_tickets
-- Stores tickets that were issued or became valid; those that are made now get a code for each seat. No id
-- of a code follows from another id: whoever has some of them cannot guess the others. A valid ticket is
-- due to be mailed to its account.
WITH issued AS (
    INSERT INTO tickets AS ticket (event_id, id, booking_id, user_id, created_at, valid_at)
    SELECT event_id, id, booking_id, user_id, created_at, valid_at
    FROM json_to_recordset(%(tickets)s::json) AS ticket (
        event_id bigint, id uuid, booking_id bigint, user_id text, created_at timestamptz,
        valid_at timestamptz
    )
    ON CONFLICT ON CONSTRAINT tickets_one_per_booking DO UPDATE
    SET valid_at = excluded.valid_at
    RETURNING event_id, id, user_id, created_at, valid_at
),
mailed AS (
    INSERT INTO ticket_letters (event_id, ticket_id, user_id, id, due_at, attempts)
    SELECT event_id, id, user_id, gen_random_uuid(), clock_timestamp(), 0
    FROM issued
    WHERE valid_at IS NOT NULL
        AND is_account(user_id)
)
INSERT INTO ticket_codes (event_id, code_id, ticket_id, place, seat_id)
SELECT event_id, gen_random_uuid(), id, place, seat_ids[place]
FROM issued
JOIN json_to_recordset(%(tickets)s::json) AS ticket (
    event_id bigint, id uuid, seat_count integer, seat_ids integer[]
) USING (event_id, id)
CROSS JOIN generate_series(1, seat_count) AS place
WHERE created_at = %(now)s::timestamptz
ON CONFLICT (event_id, ticket_id, place) WHERE revoked_at IS NULL DO NOTHING

-- name: transfer_tickets
-- Stores whose tickets are from now on. Their codes are revoked, and new ones stand in their places,
-- which are due to be mailed. A letter to the former user that was not sent yet is replaced.
WITH given AS (
    UPDATE tickets
    SET user_id = given.user_id
    FROM json_to_recordset(%(tickets)s::json) AS given (event_id bigint, id uuid, user_id text)
    WHERE tickets.event_id = given.event_id
        AND tickets.id = given.id
    RETURNING tickets.event_id, tickets.id, tickets.user_id
),
revoked AS (
    UPDATE ticket_codes
    SET revoked_at = %(now)s::timestamptz
    FROM given
    WHERE ticket_codes.event_id = given.event_id
        AND ticket_codes.ticket_id = given.id
        AND revoked_at IS NULL
    RETURNING ticket_codes.event_id, ticket_id, place, seat_id
),
mailed AS (
    INSERT INTO ticket_letters (event_id, ticket_id, user_id, id, due_at, attempts)
    SELECT event_id, id, user_id, gen_random_uuid(), clock_timestamp(), 0
    FROM given
    ON CONFLICT ON CONSTRAINT ticket_letters_pk DO UPDATE
    SET
        user_id = excluded.user_id,
        id = excluded.id,
        due_at = excluded.due_at,
        attempts = excluded.attempts
)
INSERT INTO ticket_codes (event_id, code_id, ticket_id, place, seat_id)
SELECT event_id, gen_random_uuid(), ticket_id, place, seat_id
FROM revoked
