-- Tells why nothing of an event can be booked at a moment, whoever asks; null when it is on sale.
CREATE OR REPLACE FUNCTION event_objection(stock inventory, moment timestamptz)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT CASE
        WHEN stock.deleted OR stock.status = 'DRAFT' THEN 'EVENT_NOT_FOUND'
        WHEN stock.status <> 'PUBLISHED'
            OR stock.frozen <> ''
            OR moment < stock.sales_open_at
            OR moment >= stock.sales_close_at
            OR moment >= stock.starts_at THEN 'EVENT_NOT_BOOKABLE'
    END
$$;
