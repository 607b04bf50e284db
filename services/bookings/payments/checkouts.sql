-- name: find_ticketed
-- Finds the bookings of tickets, with the users who may see the tickets.
SELECT
    tickets.id,
    tickets.event_id,
    tickets.booking_id,
    tickets.user_id,
    inventory.organizer_id,
    inventory.plan_id IS NOT NULL AS has_assigned_seats
FROM tickets
JOIN inventory USING (event_id)
WHERE tickets.id = ANY (%(ticket_ids)s::uuid[])
