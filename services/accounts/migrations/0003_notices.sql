-- What other services had us tell people, kept for 7 days so that nobody is told twice.
CREATE TABLE notices (
    id text NOT NULL,
    account_id text NOT NULL,
    kind text NOT NULL,
    event_name text NOT NULL,
    starts_at timestamptz,
    seat_count integer NOT NULL,
    reference text NOT NULL,
    offer_expires_at timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notices_pkey PRIMARY KEY (id),
    CONSTRAINT notices_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT notices_kind_known CHECK (kind IN ('PROMOTED', 'OFFERED')),
    CONSTRAINT notices_seat_count_positive CHECK (seat_count > 0)
);

CREATE INDEX notices_of_account ON notices (account_id);
CREATE INDEX notices_received_at ON notices (received_at);

-- Which notice a letter brings; empty for other letters, of which there is one at a time.
ALTER TABLE outbox
    ADD COLUMN notice_id text NOT NULL DEFAULT '',
    DROP CONSTRAINT outbox_letter_once,
    ADD CONSTRAINT outbox_letter_once UNIQUE (canonical_email, letter, notice_id);
