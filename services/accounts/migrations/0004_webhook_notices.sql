-- Notices about webhooks, which have no seats.
ALTER TABLE notices
    ADD COLUMN webhook_url text NOT NULL DEFAULT '',
    DROP CONSTRAINT notices_kind_known,
    ADD CONSTRAINT notices_kind_known CHECK (
        kind IN ('PROMOTED', 'OFFERED', 'WEBHOOK_GONE', 'WEBHOOK_FAILING')
    ) NOT VALID,
    DROP CONSTRAINT notices_seat_count_positive,
    ADD CONSTRAINT notices_seats_counted CHECK (
        (seat_count > 0) = (kind IN ('PROMOTED', 'OFFERED'))
    ) NOT VALID;
