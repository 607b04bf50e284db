-- Returns whether a user has an account: ids of accounts have a prefix that no guest can use.
CREATE OR REPLACE FUNCTION is_account(user_id text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT starts_with(user_id, 'acct_')
$$;
