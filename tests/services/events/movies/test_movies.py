import asyncio
from functools import partial
from typing import Any

import psycopg
import pytest

from boxoffice.events.v1 import movies_pb2
from services.events.errors import InvalidTransition
from services.events.events import room_slots
from services.events.idempotency import Idempotency
from services.events.movies.movies import SQL, Change, Movies
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.pools import PATIENT, patient_pool
from tests.services.events.cinema import EVENING, LATE, add_cinema
from tests.services.events.client import (
    Client,
    change_rows,
    eventually,
    refused,
    rows,
    somebody_waits,
)
from tests.services.events.movies import cinema

WHOLE: dict[str, Any] = {
    "title": "Calm before the Storm",
    "description": "A lighthouse, and two who wait in it.",
    "duration_minutes": 118,
    "release_date": "2025-10-09",
    "director": "Ada Łukasz",
    "cast": ["Zoë Ångström", "Ada Łukasz"],
    "genres": ["Drama", "Sci-Fi"],
    "age_rating": "FSK 12",
    "poster_url": "https://example.com/poster.jpg",
}


async def test_fields_that_an_admin_sets_come_back(client: Client) -> None:
    """A field would be lost when it is stored, or when it is read."""
    created = await cinema.create(client, **WHOLE)
    stored = movies_pb2.Movie()
    stored.CopyFrom(created)
    for computed in ("id", "version", "created_at", "updated_at"):
        stored.ClearField(computed)
    assert stored == movies_pb2.Movie(**WHOLE)
    assert created.version == 1
    assert await cinema.get(client, created.id) == created


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"title": " "}, "movie.title"),
        ({"duration_minutes": 0}, "movie.duration_minutes"),
        ({"release_date": "2025-02-30"}, "movie.release_date"),
        ({"release_date": "20250230"}, "movie.release_date"),
        ({"cast": ["Ada", ""]}, "movie.cast[1]"),
        ({"genres": ["x"] * 21}, "movie.genres"),
        ({"poster_url": "javascript:alert(1)"}, "movie.poster_url"),
    ],
)
async def test_an_impossible_movie_is_refused(
    client: Client, fields: dict[str, Any], path: str
) -> None:
    """A page that shows the movie could run a script, or print a day that no calendar has."""
    with refused("VALIDATION_ERROR") as refusal:
        await cinema.create(client, **fields)
    assert refusal.paths == [path]


async def test_an_update_changes_what_it_names(client: Client) -> None:
    """A client that sends one field could empty all others."""
    created = await cinema.create(client, **WHOLE)
    changed = (await cinema.update(client, created.id, title="Storm", cast=None)).movie
    expected = movies_pb2.Movie(**{**WHOLE, "title": "Storm", "cast": []})
    expected.id, expected.version = created.id, 2
    for computed in ("created_at", "updated_at"):
        getattr(expected, computed).CopyFrom(getattr(changed, computed))
    assert changed == expected
    again = (await cinema.update(client, created.id, title="Storm")).movie
    assert again.version == 2


async def test_an_update_needs_a_title(client: Client) -> None:
    """A movie without a title cannot be listed."""
    created = await cinema.create(client)
    with refused("VALIDATION_ERROR") as refusal:
        await cinema.update(client, created.id, title=None)
    assert refusal.paths == ["movie.title"]


async def test_a_version_that_is_gone_is_refused(client: Client) -> None:
    """Of two admins who edit a movie, the second would undo what the first wrote."""
    created = await cinema.create(client)
    await cinema.update(client, created.id, if_match='"1"', title="Second")
    with refused("VERSION_MISMATCH") as refusal:
        await cinema.update(client, created.id, if_match='"1"', title="Third")
    assert refusal.metadata["version"] == "2"
    with refused("VERSION_MISMATCH"):
        await cinema.delete(client, created.id, if_match='"1"')


async def test_changes_in_parallel_are_made_one_after_another(client: Client) -> None:
    """Two changes that read the same movie would keep one of them."""
    created = await cinema.create(client)
    names = [f"name {number}" for number in range(8)]
    await asyncio.gather(
        *(_update_at_last(client, created.id, director=name) for name in names),
        *(_update_at_last(client, created.id, age_rating=name) for name in names),
    )
    movie = await cinema.get(client, created.id)
    assert {movie.director, movie.age_rating} <= set(names)
    assert movie.version == 1 + 2 * len(names)


async def _update_at_last(client: Client, movie_id: int, **fields: str) -> None:
    """Repeats an update that gave up waiting for the lock, as a busy machine makes it do."""
    while True:
        try:
            await cinema.update(client, movie_id, **fields)
        except Refusal as refusal:
            if refusal.reason != "UNAVAILABLE":
                raise
        else:
            return


async def test_a_deleted_movie_is_gone(client: Client) -> None:
    """A deleted movie would still be listed, or could be changed."""
    created = await cinema.create(client)
    response = await cinema.delete(client, created.id)
    assert response.deleted_movie.movie_id == created.id
    assert await cinema.titles(client) == []
    for call in (cinema.get, cinema.update, cinema.delete):
        with refused("MOVIE_NOT_FOUND"):
            await call(client, created.id)


@pytest.mark.parametrize(
    ("change", "is_over"),
    [
        ("SET movie_id = movies.id", False),
        ("SET movie_id = movies.id, status = 'DRAFT'", False),
        ("SET movie_id = movies.id, status = 'CANCELLED'", True),
        ("SET movie_id = movies.id, deleted_at = now()", True),
        ("SET movie_id = movies.id, starts_at = '2020-01-01', ends_at = '2020-01-02'", True),
        ("SET name = 'a concert'", True),
    ],
)
async def test_a_movie_stays_while_screenings_are_to_come(
    client: Client, database: Database, change: str, is_over: bool
) -> None:
    """People who hold tickets would come to a movie that nobody shows."""
    house = add_cinema(database)
    await client.create(total_seats=None, room_id=house.large, starts_at=EVENING, ends_at=LATE)
    change_rows(database, f"UPDATE events {change} FROM movies")
    if is_over:
        await cinema.delete(client, house.movie_id)
        return
    with refused("INVALID_TRANSITION"):
        await cinema.delete(client, house.movie_id)


async def test_a_movie_stays_if_a_screening_is_made_meanwhile(
    client: Client, database: Database
) -> None:
    """The screening would be of a movie that is gone."""
    house = add_cinema(database)
    concert = await client.create(
        total_seats=None, room_id=house.large, starts_at=EVENING, ends_at=LATE
    )
    async with patient_pool(database.events_dsn, schema="events", size=2, session=PATIENT) as pool:
        movies = Movies(pool, Idempotency(pool, {}))
        async with pool.connection() as connection, connection.transaction():
            await room_slots.lock_movie(connection, house.movie_id)
            change = Change(house.movie_id, {}, None, None)
            deleting = asyncio.create_task(movies.delete(change))
            await eventually(partial(somebody_waits, database))
            showing = {"event_id": concert.id, "movie_id": house.movie_id}
            await connection.execute(
                "UPDATE events SET movie_id = %(movie_id)s WHERE id = %(event_id)s", showing
            )
        with pytest.raises(InvalidTransition):
            await deleting


async def test_a_key_makes_one_movie(client: Client, database: Database) -> None:
    """A client that repeats its request after a timeout would list a movie twice."""
    first = await cinema.create(client, request_id="k")
    assert await cinema.create(client, request_id="k") == first
    with refused("IDEMPOTENCY_KEY_REUSED"):
        await cinema.create(client, request_id="k", title="Another")
    changed = await cinema.update(client, first.id, request_id="u", title="B")
    replayed = await cinema.update(client, first.id, request_id="u", title="B")
    assert (replayed.replayed, replayed.movie) == (True, changed.movie)
    assert rows(database, "SELECT count(*) FROM movies") == [(1,)]


async def test_two_movies_with_the_same_words_are_both_stored(pool: Pool) -> None:
    """Each would wait for a word that the other has added, and one would be refused."""
    assert await add_in_opposite_orders(pool, SQL["add_words"]) == 0


async def test_without_the_order_of_words_one_is_not(pool: Pool) -> None:
    """Control: unsorted words end in a deadlock."""
    clause = b'ORDER BY word COLLATE "C"\n'
    assert clause in SQL["add_words"]
    assert await add_in_opposite_orders(pool, SQL["add_words"].replace(clause, b"")) > 0


async def add_in_opposite_orders(pool: Pool, statement: bytes) -> int:
    """Adds many words from both ends at once; returns how many attempts ended in a deadlock."""
    words = [f"word{number:05}" for number in range(20_000)]
    async with pool.connection() as first, pool.connection() as second:
        for connection in (first, second):
            # Whatever the machine, only a circle ends the wait.
            await connection.execute("SET lock_timeout = 0")
            await connection.execute("SET statement_timeout = 0")
        outcomes = await asyncio.gather(
            first.execute(statement, {"words": words}),
            second.execute(statement, {"words": words[::-1]}),
            return_exceptions=True,
        )
    return sum(isinstance(outcome, psycopg.errors.DeadlockDetected) for outcome in outcomes)
