-- name: begin
-- Stores what is about to be done, and returns the number of the entry.
INSERT INTO audit_entries (actor_kind, actor, api_key_id, action, target, fields, request_id)
VALUES (
    %(actor_kind)s, %(actor)s, %(api_key_id)s, %(action)s, %(target)s, %(fields)s, %(request_id)s
)
RETURNING id

-- name: finish
-- Stores what came of it.
INSERT INTO audit_outcomes (entry_id, outcome, created)
VALUES (%(entry_id)s, %(outcome)s, %(created)s)

-- name: list
-- Lists entries, newest first; their numbers follow the clock. What created the target is looked up
-- once, so that both indexes of targets can be used.
SELECT
    entry.id,
    entry.created_at,
    entry.actor_kind,
    entry.actor,
    entry.api_key_id,
    entry.action,
    entry.target,
    entry.fields,
    entry.request_id,
    result.outcome,
    result.created
FROM audit_entries AS entry
LEFT JOIN audit_outcomes AS result ON result.entry_id = entry.id
WHERE entry.id < %(before)s
    AND (%(since)s::timestamptz IS NULL OR entry.created_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR entry.created_at < %(until)s)
    AND (%(actor)s::text IS NULL OR entry.actor = %(actor)s)
    AND (
        %(target)s::text IS NULL
        OR entry.target = %(target)s
        OR entry.id = ANY (ARRAY(
            SELECT entry_id
            FROM audit_outcomes
            WHERE created = %(target)s
        ))
    )
ORDER BY entry.id DESC
LIMIT %(limit)s
