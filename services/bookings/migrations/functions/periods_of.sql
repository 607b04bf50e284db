-- Names the periods that a moment falls into, each by its first day in UTC: the day, the ISO week
-- (from Monday), the calendar month, and all time.
CREATE OR REPLACE FUNCTION periods_of(moment timestamptz)
RETURNS TABLE (period text, starts_on date)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    VALUES
        ('all', date '0001-01-01'),
        ('day', (moment AT TIME ZONE 'UTC')::date),
        ('week', date_trunc('week', moment AT TIME ZONE 'UTC')::date),
        ('month', date_trunc('month', moment AT TIME ZONE 'UTC')::date)
$$;
