-- Letters that bring tickets to their users: due from the statement that makes a ticket valid, or another
-- user's, until accounts has them. A transfer replaces the letter of the former user.
CREATE TABLE ticket_letters (
    event_id bigint NOT NULL,
    ticket_id uuid NOT NULL,
    -- The account that the ticket is mailed to.
    user_id text COLLATE "C" NOT NULL,
    -- By which accounts ignores a letter that is sent again.
    id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL,

    CONSTRAINT ticket_letters_pk PRIMARY KEY (event_id, ticket_id),
    CONSTRAINT ticket_letters_attempts_not_negative CHECK (attempts >= 0)
);

CREATE INDEX ticket_letters_by_due_at ON ticket_letters (due_at);
