-- name: get_movie
-- Finds a movie that is not deleted.
SELECT {columns}
FROM movies
WHERE id = %(movie_id)s
    AND deleted_at IS NULL

-- name: lock_movie
-- Waits for the movie's row and locks it: changes of a movie are decided one after another, and no
-- screening of it is made meanwhile.
SELECT {columns}
FROM movies
WHERE id = %(movie_id)s
    AND deleted_at IS NULL
FOR NO KEY UPDATE

-- name: create_movie
-- Stores a new movie.
INSERT INTO movies (
    title,
    description,
    duration_minutes,
    release_date,
    director,
    "cast",
    genres,
    age_rating,
    poster_url,
    folded_title,
    folded_genres,
    text_search
)
VALUES (
    %(title)s,
    %(description)s,
    %(duration_minutes)s,
    %(release_date)s,
    %(director)s,
    %(cast)s,
    %(genres)s,
    %(age_rating)s,
    %(poster_url)s,
    %(folded_title)s,
    %(folded_genres)s,
    %(text_search)s::tsvector
)
RETURNING {columns}

-- name: change_movie
-- Writes a movie that the transaction has locked under its next version.
UPDATE movies
SET
    title = %(title)s,
    description = %(description)s,
    duration_minutes = %(duration_minutes)s,
    release_date = %(release_date)s,
    director = %(director)s,
    "cast" = %(cast)s,
    genres = %(genres)s,
    age_rating = %(age_rating)s,
    poster_url = %(poster_url)s,
    folded_title = %(folded_title)s,
    folded_genres = %(folded_genres)s,
    text_search = %(text_search)s::tsvector,
    version = version + 1,
    updated_at = now()
WHERE id = %(movie_id)s
RETURNING {columns}

-- name: get_screening_to_come
-- Reads whether a screening of a movie is not over yet. Run after lock_movie: no screening of it is
-- made from then on, and the snapshot must be younger.
SELECT 1
FROM events
WHERE movie_id = %(movie_id)s
    AND ends_at > now()
    AND deleted_at IS NULL
    AND status IN ('DRAFT', 'PUBLISHED')
LIMIT 1

-- name: delete_movie
-- Deletes a movie that the transaction has locked. Its row stays for the screenings that are over.
UPDATE movies
SET
    version = version + 1,
    updated_at = now(),
    deleted_at = now()
WHERE id = %(movie_id)s

-- name: add_words
-- Adds words to those that misspelled ones are compared with. In their order, so that no two
-- transactions wait for each other's words.
INSERT INTO movie_words (word)
SELECT word
FROM unnest(%(words)s::text[]) AS found (word)
ORDER BY word COLLATE "C"
ON CONFLICT ON CONSTRAINT movie_words_pk DO NOTHING
