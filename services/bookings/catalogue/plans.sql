-- name: get_plan
-- Reads a plan as events serialized it.
SELECT plan
FROM seat_plans
WHERE plan_id = %(plan_id)s

-- name: add_plan
-- Stores a plan, unless another replica has stored it before: plans never change.
INSERT INTO seat_plans (plan_id, plan)
VALUES (%(plan_id)s, %(plan)s)
ON CONFLICT ON CONSTRAINT seat_plans_pk DO NOTHING
