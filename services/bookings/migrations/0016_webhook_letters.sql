-- Letters that a webhook was disabled: due from the statement that disables it until accounts has it.
ALTER TABLE webhooks
    ADD COLUMN letter_id uuid,
    ADD COLUMN letter_due_at timestamptz,
    ADD CONSTRAINT webhooks_letter_due CHECK ((letter_id IS NULL) = (letter_due_at IS NULL));

CREATE INDEX webhooks_by_letter_due_at ON webhooks (letter_due_at) WHERE letter_id IS NOT NULL;
