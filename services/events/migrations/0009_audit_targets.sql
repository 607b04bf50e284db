-- What was done about one target: found by what was changed, and by what was created. On a log of millions of
-- entries make them by hand before, CONCURRENTLY.
CREATE INDEX IF NOT EXISTS audit_entries_of_target ON audit_entries (target, id)
    WHERE target IS NOT NULL;

CREATE INDEX IF NOT EXISTS audit_outcomes_of_created ON audit_outcomes (created, entry_id)
    WHERE created IS NOT NULL;
