-- Answers to keys are the bytes of the response or of the refusal's status. Those that are here stay
-- readable by what they were made of, for their 24 hours.
ALTER TABLE idempotency
    ADD COLUMN is_refusal boolean,
    ADD COLUMN answer bytea,
    ALTER COLUMN outcome DROP NOT NULL,
    ALTER COLUMN event_id DROP NOT NULL,
    ALTER COLUMN rev DROP NOT NULL,
    ADD CONSTRAINT idempotency_answered CHECK (answer IS NOT NULL OR outcome IS NOT NULL);

-- What these decided is decided in services/bookings/inventory now.
DROP FUNCTION IF EXISTS accept_offer, book_late, book_tickets, cancel_booking, cancel_ticket;
DROP FUNCTION IF EXISTS promote, next_in_line, expire_holds, reserve, live_booking, event_objection;

-- By user first: those who ask are looked up by an index that no other can be mistaken for.
DROP INDEX waiting_list_one_per_user;
CREATE UNIQUE INDEX waiting_list_one_per_user ON waiting_list (user_id, event_id)
    WHERE state IN ('WAITING', 'OFFERED');
DROP INDEX waiting_list_by_user;
CREATE INDEX waiting_list_by_user ON waiting_list (user_id, event_id, place);
