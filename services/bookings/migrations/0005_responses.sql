-- Named as in the other services: the bytes of a response, or of the status of a refusal.
ALTER TABLE idempotency RENAME COLUMN answer TO response;
