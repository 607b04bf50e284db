-- name: list_movies
-- Lists movies by an ascending key, those with equal keys newest first. A query without words
-- matches nothing.
SELECT {columns}
FROM movies
WHERE deleted_at IS NULL
    AND (%(query)s::text IS NULL OR text_search @@ nullif(%(query)s, '')::tsquery)
    AND (%(genre)s::text IS NULL OR folded_genres @> ARRAY[%(genre)s::text])
    AND (
        %(first_day)s::date IS NULL
        OR release_date BETWEEN %(first_day)s::date AND %(last_day)s::date
    )
    AND (
        %(after)s::bigint IS NULL
        OR ({key}, -id) > (SELECT {key}, -id FROM movies WHERE id = %(after)s::bigint)
    )
ORDER BY {key}, id DESC
LIMIT %(limit)s
OFFSET %(offset)s

-- name: count_movies
-- Counts the movies on all pages of list_movies.
SELECT count(*)
FROM movies
WHERE deleted_at IS NULL
    AND (%(query)s::text IS NULL OR text_search @@ nullif(%(query)s, '')::tsquery)
    AND (%(genre)s::text IS NULL OR folded_genres @> ARRAY[%(genre)s::text])
    AND (
        %(first_day)s::date IS NULL
        OR release_date BETWEEN %(first_day)s::date AND %(last_day)s::date
    )

-- name: match_any
-- Reads whether any movie matches a query.
SELECT 1
FROM movies
WHERE deleted_at IS NULL
    AND text_search @@ nullif(%(query)s, '')::tsquery
LIMIT 1

-- name: correct_words
-- Replaces words that no movie has by those that are spelled most like them. The last one may be
-- the beginning of a word.
SELECT
    CASE
        WHEN EXISTS (
            SELECT
            FROM movie_words
            WHERE movie_words.word = typed.word
                OR (
                    typed.place = cardinality(%(words)s::text[])
                    AND starts_with(movie_words.word, typed.word)
                )
        ) THEN typed.word
        ELSE coalesce(similar_word(typed.word), typed.word)
    END
FROM unnest(%(words)s::text[]) WITH ORDINALITY AS typed (word, place)
ORDER BY typed.place
