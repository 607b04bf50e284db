-- Notices that bring tickets, with their documents.
ALTER TABLE notices
    DROP CONSTRAINT notices_kind_known,
    ADD CONSTRAINT notices_kind_known CHECK (
        kind IN ('PROMOTED', 'OFFERED', 'TICKET', 'WEBHOOK_GONE', 'WEBHOOK_FAILING')
    ) NOT VALID,
    DROP CONSTRAINT notices_seats_counted,
    ADD CONSTRAINT notices_seats_counted CHECK (
        (seat_count > 0) = (kind IN ('PROMOTED', 'OFFERED', 'TICKET'))
    ) NOT VALID;

-- Files that are sent with a notice: stored until its e-mail is sent or given up.
CREATE TABLE attachments (
    notice_id text NOT NULL,
    number bigint NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT attachments_pk PRIMARY KEY (notice_id, number),
    CONSTRAINT attachments_notice_fkey
        FOREIGN KEY (notice_id) REFERENCES notices (id) ON DELETE CASCADE
);
