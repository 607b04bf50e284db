from typing import Any

import pytest

from tests.conftest import Database
from tests.services.events.client import Client, change_rows, refused
from tests.services.events.movies import cinema

MOVIES: list[dict[str, Any]] = [
    {"title": "Storm", "release_date": "2024-05-01", "genres": ["Drama"]},
    {"title": "Amélie", "director": "Storm Þórsdóttir", "release_date": "2001-04-25"},
    {"title": "The Łódź Express", "description": "A train in a storm", "genres": ["Sci-Fi"]},
    {"title": "Z4e8xq", "cast": ["Zoë Smørgås"], "release_date": "2024-12-31"},
]
HOSTILE = [
    "'",
    "''",
    "\\",
    "a\\'b",
    "'storm' | 'x'",
    "storm & !",
    "!storm",
    "(storm",
    "storm <-> calm",
    "storm:*A",
    ":*",
    "%",
    "_",
    "storm -x",
    '"storm',
    "; DROP TABLE movies",
    "$1",
    "%(query)s",
    "{key}",
    "🎬",
    "\u0301",
    "ﷺ" * 200,
    "a " * 100,
]


@pytest.fixture(autouse=True)
async def movies(client: Client) -> None:
    """Creates the movies."""
    for movie in MOVIES:
        await cinema.create(client, **movie)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("STORM", ["Storm", "Amélie", "The Łódź Express"]),
        ("sto", ["Storm", "Amélie", "The Łódź Express"]),
        ("amelie", ["Amélie"]),
        ("AMÉ", ["Amélie"]),
        ("thorsdottir", ["Amélie"]),
        ("lodz express", ["The Łódź Express"]),
        ("express lodz", ["The Łódź Express"]),
        ("t express", []),
        ("z4e8x", ["Z4e8xq"]),
        ("smorgas", ["Z4e8xq"]),
        ("!?", []),
        ("  ", ["Z4e8xq", "Storm", "Amélie", "The Łódź Express"]),
    ],
)
async def test_movies_are_found_by_their_words(
    client: Client, query: str, expected: list[str]
) -> None:
    """A movie would be missed for an accent, or the title would count less than the text."""
    assert await cinema.titles(client, query=query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("amalie", ["Amélie"]),
        ("lodz expres", ["The Łódź Express"]),
        ("lodzz express", ["The Łódź Express"]),
        ("stomr", ["Storm", "Amélie", "The Łódź Express"]),
        ("xylophone", []),
    ],
)
async def test_small_typos_are_forgiven(client: Client, query: str, expected: list[str]) -> None:
    """A visitor who mistypes would believe that the movie is not shown."""
    assert await cinema.titles(client, query=query) == expected


async def test_without_pg_trgm_all_but_typos_works(client: Client, database: Database) -> None:
    """A database that does not have the extension would serve no movie."""
    change_rows(database, "DROP EXTENSION pg_trgm CASCADE")
    assert await cinema.titles(client, query="amelie") == ["Amélie"]
    assert await cinema.titles(client, query="amalie") == []


@pytest.mark.parametrize("query", HOSTILE)
async def test_no_query_is_an_error(client: Client, query: str) -> None:
    """Syntax of queries in what a visitor types could end in a 500, or in all movies."""
    assert len(await cinema.titles(client, query=query)) < len(MOVIES)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"genre": "sci-fi"}, ["The Łódź Express"]),
        ({"genre": "DRÁMA"}, ["Storm"]),
        ({"year": 2024}, ["Z4e8xq", "Storm"]),
        ({"year": 2024, "genre": "Drama"}, ["Storm"]),
        ({"query": "storm", "year": 2001}, ["Amélie"]),
        ({"sort": "release_asc"}, ["Amélie", "Storm", "Z4e8xq", "The Łódź Express"]),
        ({"sort": "release_desc"}, ["Z4e8xq", "Storm", "Amélie", "The Łódź Express"]),
        ({"sort": "title"}, ["Amélie", "Storm", "The Łódź Express", "Z4e8xq"]),
        ({"sort": "title", "query": "storm"}, ["Amélie", "Storm", "The Łódź Express"]),
    ],
)
async def test_movies_are_filtered_and_sorted(
    client: Client, wanted: dict[str, Any], expected: list[str]
) -> None:
    """A list by year would have the movies of all years, in any order."""
    assert await cinema.titles(client, **wanted) == expected


@pytest.mark.parametrize("sort", ["release_desc", "release_asc", "title", None])
@pytest.mark.parametrize("query", ["storm", None])
async def test_pages_have_each_movie_once(
    client: Client, sort: str | None, query: str | None
) -> None:
    """Movies that compare equal would be on two pages, or on none."""
    for _ in range(3):
        await cinema.create(client, title="Storm", release_date="2024-05-01")
    whole = [movie.id for movie in (await cinema.listed(client, sort=sort, query=query)).movies]
    found: list[int] = []
    token = ""
    while token or not found:
        page = await cinema.listed(client, sort=sort, query=query, page_size=2, page_token=token)
        found += [movie.id for movie in page.movies]
        token = page.next_page_token
    assert found == whole
    assert len(set(found)) == len(found) == 6 + (query is None)


async def test_pages_by_number_count_all_movies(client: Client) -> None:
    """A page of numbers could not say how many there are."""
    page = await cinema.listed(client, query="storm", page=2, page_size=2)
    assert [movie.title for movie in page.movies] == ["The Łódź Express"]
    assert page.total == 3


async def test_a_token_of_another_list_is_refused(client: Client) -> None:
    """A client that changes the filter between pages would miss movies."""
    token = (await cinema.listed(client, page_size=1)).next_page_token
    with refused("INVALID_PAGE_TOKEN"):
        await cinema.listed(client, page_size=1, year=2024, page_token=token)
