-- name: list_published
-- Lists the keys that sign, will sign, or signed tokens that may still be valid.
SELECT kid, public_key
FROM signing_keys
JOIN signing_periods USING (kid, signs_from)
WHERE signs_until IS NULL OR signs_until > now() - %(kept)s::interval
ORDER BY signs_from, kid

-- name: get_current
-- Finds the key that signs now.
SELECT kid, private_key
FROM signing_keys
WHERE signs_from <= now()
ORDER BY signs_from DESC, kid DESC
LIMIT 1

-- name: add_key
-- Adds a key that starts to sign later; the very first one signs at once. Replicas that start
-- together may add one each: all are published, and all replicas sign with the latest.
INSERT INTO signing_keys (kid, private_key, public_key, signs_from)
SELECT
    %(kid)s, %(private_key)s, %(public_key)s,
    CASE
        WHEN EXISTS (SELECT FROM signing_keys) THEN now() + %(lead)s::interval
        ELSE now()
    END
RETURNING kid, signs_from

-- name: delete_keys
-- Deletes all keys. A concurrent reader sees either these keys or their successor.
DELETE FROM signing_keys

-- name: forget_former
-- Deletes keys whose last token has expired.
DELETE FROM signing_keys
USING signing_periods
WHERE signing_keys.kid = signing_periods.kid
    AND signs_until <= now() - %(kept)s::interval
