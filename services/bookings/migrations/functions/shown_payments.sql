-- A payment as people see it, with the ticket of its booking.
CREATE OR REPLACE VIEW shown_payments AS
SELECT
    payments.number AS id,
    payments.event_id,
    payments.id AS payment_id,
    payments.booking_id,
    tickets.id AS ticket_id,
    payments.user_id,
    inventory.organizer_id AS event_organizer_id,
    payments.amount_minor,
    payments.currency,
    payments.refunded_minor,
    coalesce(payments.received_currency, payments.currency) AS refunded_currency,
    payments.status,
    payments.method,
    payments.created_at
FROM payments
JOIN inventory ON inventory.event_id = payments.event_id
LEFT JOIN tickets ON tickets.event_id = payments.event_id
    AND tickets.booking_id = payments.booking_id;
