-- name: by_keys
-- Has statements look rows up by their keys until the transaction ends. The planner does not know how few rows
-- it is asked for, and would read whole tables. The first setting is for Citus, which sends the others, and
-- those that follow in the transaction, to the nodes, too.
SET LOCAL citus.propagate_set_commands = 'local';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off
