-- Returns whether the viewer may see a booking: users see their own, organizers those of their events,
-- and with `sees_guests` everybody sees those of guests.
CREATE OR REPLACE FUNCTION is_visible(
    user_id text,
    organizer_id text,
    viewer text,
    sees_guests boolean,
    sees_all boolean
)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT sees_all
        OR coalesce(user_id = viewer, false)
        OR coalesce(organizer_id = viewer, false)
        OR (sees_guests AND NOT is_account(user_id))
$$;
