-- Names the periods that a day falls into, each by its first day and the one after its last: the
-- day, the ISO week (from Monday), the calendar month, and all time.
CREATE OR REPLACE FUNCTION periods_of(day date)
RETURNS TABLE (period text, starts_on date, ends_on date)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    VALUES
        ('all', date '0001-01-01', date 'infinity'),
        ('day', day, day + 1),
        ('week', date_trunc('week', day::timestamp)::date, date_trunc('week', day::timestamp)::date + 7),
        (
            'month',
            date_trunc('month', day::timestamp)::date,
            (date_trunc('month', day::timestamp) + interval '1 month')::date
        )
$$;
