-- name: try_key
-- Claims a key until the transaction ends, unless somebody else has it; nobody waits for one.
SELECT pg_try_advisory_xact_lock(
    hashtextextended(%(caller)s || E'\x1f' || %(operation)s || E'\x1f' || %(key)s, 0)
)

-- name: get_answer
-- Finds what is stored for a key. A statement of its own, after the claim: it sees what the owner
-- before us committed.
SELECT fingerprint, outcome, event_id, booking_id, rev
FROM idempotency
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND key = %(key)s
    AND decided_at > clock_timestamp() - interval '24 hours'

-- name: remember
-- Stores what came of a claimed key. Only one past its 24 hours can be here already.
INSERT INTO idempotency (
    caller, operation, key, fingerprint, outcome, event_id, booking_id, rev, decided_at
)
VALUES (
    %(caller)s, %(operation)s, %(key)s, %(fingerprint)s, %(outcome)s, %(event_id)s,
    %(booking_id)s, %(rev)s, clock_timestamp()
)
ON CONFLICT ON CONSTRAINT idempotency_pk DO UPDATE
SET
    fingerprint = excluded.fingerprint,
    outcome = excluded.outcome,
    event_id = excluded.event_id,
    booking_id = excluded.booking_id,
    rev = excluded.rev,
    snapshot = NULL,
    decided_at = excluded.decided_at

-- name: keep_snapshot
-- Keeps with a claimed key what the booking looks like now.
UPDATE idempotency
SET snapshot = to_jsonb(booking_details)
FROM booking_details
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND key = %(key)s
    AND booking_details.event_id = %(event_id)s
    AND booking_details.id = %(booking_id)s

-- name: get_snapshot
-- Reads what the booking looked like when the key was first used.
SELECT snapshot.*
FROM idempotency
CROSS JOIN LATERAL jsonb_populate_record(NULL::booking_details, idempotency.snapshot) AS snapshot
WHERE caller = %(caller)s
    AND operation = %(operation)s
    AND key = %(key)s

-- name: get_booking_of_event
-- Reads a booking by its whole key.
SELECT *
FROM booking_details
WHERE event_id = %(event_id)s
    AND id = %(booking_id)s
