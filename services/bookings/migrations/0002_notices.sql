-- Bookings whose users are to be told that they need wait no longer: written in the transaction that
-- gave them the seats, deleted when accounts has taken the notice.
CREATE TABLE notices (
    event_id bigint NOT NULL,
    booking_id bigint NOT NULL,
    -- Tells accounts that a notice comes again.
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT notices_pk PRIMARY KEY (event_id, booking_id)
);

CREATE INDEX notices_by_due_at ON notices (due_at);
