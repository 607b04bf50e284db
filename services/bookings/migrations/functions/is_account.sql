-- Tells whether a user has an account: its ids have a shape of their own, which no guest can use.
CREATE OR REPLACE FUNCTION is_account(user_id text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT starts_with(user_id, 'acct_')
$$;
