-- name: list_keys
-- Lists all keys, in the order in which they start to sign.
SELECT id, public_key, private_key, signs_from
FROM ticket_keys
ORDER BY signs_from, id

-- name: add_key
-- Adds a key that signs after a while; the very first one signs at once. Replicas that start together
-- may add one each: all are published.
INSERT INTO ticket_keys (public_key, private_key, signs_from)
SELECT
    %(public_key)s, %(private_key)s,
    CASE
        WHEN EXISTS (SELECT FROM ticket_keys) THEN now() + %(lead)s::interval
        ELSE now()
    END

-- name: delete_keys
-- Deletes all keys: no code that they signed admits anybody any longer.
DELETE FROM ticket_keys
