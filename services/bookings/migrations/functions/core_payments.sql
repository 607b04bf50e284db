-- Payments as the core decides about them.
CREATE OR REPLACE VIEW core_payments AS
SELECT
    event_id,
    id,
    booking_id,
    user_id,
    provider,
    method,
    status,
    amount_minor,
    currency,
    created_at,
    received_minor,
    received_currency,
    mismatched,
    refunding_minor,
    refunded_minor,
    provider_reference,
    settled_at
FROM payments;
