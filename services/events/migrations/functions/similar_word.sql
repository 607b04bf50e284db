-- Finds the word of a movie that is spelled most like this one; NULL if none is, or without pg_trgm.
CREATE OR REPLACE FUNCTION similar_word(typed text) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    home text := (
        SELECT pg_namespace.nspname
        FROM pg_extension
        JOIN pg_namespace ON pg_namespace.oid = pg_extension.extnamespace
        WHERE pg_extension.extname = 'pg_trgm'
    );
    found text;
BEGIN
    IF home IS NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format(
        'SELECT word FROM movie_words WHERE word OPERATOR(%1$I.%%) $1
        ORDER BY %1$I.similarity(word, $1) DESC, word LIMIT 1',
        home
    ) INTO found USING typed;
    RETURN found;
END
$$;
