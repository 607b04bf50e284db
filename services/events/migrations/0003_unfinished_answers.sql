-- An answer whose `refused` is NULL is unfinished: its change is committed, and how many seats are left
-- after it is added by one more update before anybody is told. Whoever does not know such answers yet
-- takes them for pending.
ALTER TABLE idempotency
    DROP CONSTRAINT idempotency_answer_whole,
    ADD CONSTRAINT idempotency_answer_whole CHECK (refused IS NULL OR answer IS NOT NULL);
