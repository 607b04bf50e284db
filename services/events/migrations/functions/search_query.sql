-- Reads what a visitor types: all words must be there, the last one as the start of a word.
-- NULL, which matches nothing, when there is no word in it.
CREATE OR REPLACE FUNCTION search_query(typed text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT CASE
        WHEN words = '' THEN NULL
        -- The text form of a query ends with a quote unless it ends with a negated phrase.
        WHEN words LIKE '%''' THEN (words || ':*')::tsquery
        ELSE words::tsquery
    END
    FROM (SELECT websearch_to_tsquery('simple', typed)::text) AS parsed (words)
);
