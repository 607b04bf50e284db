-- Returns whether the viewer may see a booking: users see their own, organizers those of their events,
-- and with `sees_guests` everybody sees those of guests. The schema is named for other nodes of a cluster, on
-- which sessions have no search path.
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
        OR (sees_guests AND NOT bookings.is_account(user_id))
$$;
