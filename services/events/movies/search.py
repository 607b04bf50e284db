"""Lists movies: by their words, accents and small typos forgiven, by genre and by year."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from psycopg.rows import class_row

from services.events.movies import words
from services.events.movies.movies import COLUMNS, Movie
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.paging import FIRST, Page, cut

BEST_MATCH, RELEASE_DESC, RELEASE_ASC, TITLE = "best_match", "release_desc", "release_asc", "title"
_KEYS = {
    BEST_MATCH: "-ts_rank(text_search, %(query)s::tsquery)",
    RELEASE_DESC: "coalesce('9999-12-31'::date - release_date, 4000000)",
    RELEASE_ASC: "coalesce(release_date - '0001-01-01'::date, 4000000)",
    TITLE: "folded_title",
}
SQL = MappingProxyType(
    {sort: queries.load(__file__, columns=COLUMNS, key=key) for sort, key in _KEYS.items()}
)
"""The statements for each order; they differ in the key that ascends in it."""
CORRECTED = 10
"""Words of a query that are corrected at most, since each takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which movies to list, and in which order; None admits all, and takes the usual order."""

    query: str | None
    genre: str | None
    year: int | None
    sort: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of movies; `total` counts those on all pages where pages have numbers."""

    movies: Sequence[Movie]
    next_page_token: str = ""
    total: int | None = None


class Search:
    """Lists movies."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list(self, wanted: Filter, page: Page) -> Listing:
        """Lists a page of movies."""
        # What tells the row of the last page from others is read again from that row itself.
        after = None if page.before == FIRST else page.before
        position = {"after": after, "limit": page.limit, "offset": 0}
        async with self._pool.connection() as connection:
            bounds = await _bounds(connection, wanted)
            found, token = cut(await _select(connection, wanted, bounds | position), page)
        return Listing(found, next_page_token=token)

    async def list_numbered(self, wanted: Filter, page: Page, number: int) -> Listing:
        """Lists the page of this number, from 1 on, and counts the movies on all pages."""
        position = {"after": None, "limit": page.size, "offset": (number - 1) * page.size}
        async with self._pool.connection() as connection:
            bounds = await _bounds(connection, wanted)
            found = await _select(connection, wanted, bounds | position)
            counting = SQL[TITLE]["count_movies"]
            counted = await connection.execute(counting, bounds, prepare=False)
            [total] = await counted.fetchone() or (0,)
        return Listing(found, total=total)


async def _select(
    connection: Connection, wanted: Filter, values: Mapping[str, object]
) -> Sequence[Movie]:
    usual = RELEASE_DESC if wanted.query is None else BEST_MATCH
    # Planned anew each time: the best plan with a query differs from the one without.
    cursor = connection.cursor(row_factory=class_row(Movie))
    statement = SQL[wanted.sort or usual]["list_movies"]
    return await (await cursor.execute(statement, values, prepare=False)).fetchall()


async def _bounds(connection: Connection, wanted: Filter) -> dict[str, Any]:
    return {
        "query": wanted.query if wanted.query is None else await _query(connection, wanted.query),
        "genre": wanted.genre if wanted.genre is None else " ".join(words.fold(wanted.genre)),
        "first_day": date(wanted.year, 1, 1) if wanted.year else None,
        "last_day": date(wanted.year, 12, 31) if wanted.year else None,
    }


async def _query(connection: Connection, typed: str) -> str:
    """Writes what was typed as a tsquery, with its unknown words corrected if nothing matches."""
    found = words.fold(typed)
    query = words.tsquery(found)
    statements = SQL[BEST_MATCH]
    matching = await connection.execute(statements["match_any"], {"query": query})
    if len(found) > CORRECTED or await matching.fetchone():
        return query
    corrected = await connection.execute(statements["correct_words"], {"words": found})
    return words.tsquery([word for (word,) in await corrected.fetchall()])
