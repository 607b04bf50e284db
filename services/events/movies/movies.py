"""Creates, reads, changes and deletes movies. `search` lists them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from psycopg.rows import class_row

from services.events.errors import InvalidTransition, MovieNotFound, VersionMismatch
from services.events.idempotency import Idempotency, Replayed
from services.events.movies import words
from services.kit.database import queries
from services.kit.database.idempotency import Key
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import ValidationFailed, Violation

Fields = Mapping[str, Any]
"""Columns of `movies` that a client sets, and their values; None clears."""


@dataclass(frozen=True, slots=True)
class Movie:
    """A movie at a version. Times are aware UTC."""

    id: int
    version: int
    title: str
    description: str | None
    duration_minutes: int
    release_date: date | None
    director: str | None
    cast: list[str]
    genres: list[str]
    age_rating: str | None
    poster_url: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DeletedMovie:
    """A movie that was deleted just now."""

    movie_id: int


@dataclass(frozen=True, slots=True)
class Change:
    """A change that a client asks for, if the movie has one of `versions`; None is any."""

    movie_id: int
    fields: Fields
    versions: frozenset[str] | None
    key: Key | None


COLUMNS = ", ".join(f'"{column.name}"' for column in dataclasses.fields(Movie))
"""What a statement selects for a Movie."""
SQL = queries.load(__file__, columns=COLUMNS)
UNSET: Fields = MappingProxyType(
    {
        "description": None,
        "release_date": None,
        "director": None,
        "cast": [],
        "genres": [],
        "age_rating": None,
        "poster_url": None,
    }
)
NEVER_NULL = ("title", "duration_minutes")


class Movies:
    """Creates, reads, changes and deletes movies."""

    def __init__(self, pool: Pool, idempotency: Idempotency) -> None:
        self._pool = pool
        self._idempotency = idempotency

    async def create(self, fields: Fields, key: Key | None) -> Movie | Replayed:
        """Creates a movie. Raises ValidationFailed."""
        check(fields)
        return await self._idempotency.run(key, partial(_create, fields={**UNSET, **fields}))

    async def get(self, movie_id: int) -> Movie:
        """Finds a movie; raises MovieNotFound."""
        async with self._pool.connection() as connection:
            return await _read(connection, "get_movie", movie_id=movie_id)

    async def update(self, change: Change) -> Movie | Replayed:
        """Changes fields of a movie; raises ValidationFailed, MovieNotFound, VersionMismatch."""
        check(change.fields)
        return await self._idempotency.run(change.key, partial(_update, change=change))

    async def delete(self, change: Change) -> DeletedMovie | Replayed:
        """Deletes a movie for good.

        Raises MovieNotFound, VersionMismatch, and InvalidTransition while screenings of it are to
        come.
        """
        return await self._idempotency.run(change.key, partial(_delete, change=change))


def check(fields: Fields) -> None:
    """Raises ValidationFailed for values that no movie may have."""
    found = [
        Violation(f"movie.{name}", "must not be null")
        for name in NEVER_NULL
        if fields.get(name, name) is None
    ]
    if found:
        raise ValidationFailed(violations=found)


async def _create(connection: Connection, *, fields: Fields) -> Movie:
    return await _write(connection, "create_movie", fields)


async def _update(connection: Connection, *, change: Change) -> Movie:
    movie = await _lock(connection, change)
    fields = {name: getattr(movie, name) for name in (*NEVER_NULL, *UNSET)}
    changed = {**fields, **change.fields}
    if changed == fields:
        return movie
    return await _write(connection, "change_movie", changed, movie_id=movie.id)


async def _delete(connection: Connection, *, change: Change) -> DeletedMovie:
    movie = await _lock(connection, change)
    values = {"movie_id": movie.id}
    if await (await connection.execute(SQL["get_screening_to_come"], values)).fetchone():
        raise InvalidTransition
    await connection.execute(SQL["delete_movie"], values)
    return DeletedMovie(movie.id)


async def _lock(connection: Connection, change: Change) -> Movie:
    """Locks the movie until the transaction ends, and checks that it may be changed."""
    movie = await _read(connection, "lock_movie", movie_id=change.movie_id)
    if change.versions is not None and str(movie.version) not in change.versions:
        raise VersionMismatch(version=movie.version)
    return movie


async def _write(connection: Connection, statement: str, fields: Fields, **values: object) -> Movie:
    """Stores a movie with its words."""
    texts = {
        "A": [fields["title"]],
        "B": [*fields["cast"], fields["director"] or ""],
        "C": [fields["description"] or ""],
    }
    folded = {
        "folded_title": " ".join(words.fold(fields["title"])),
        "folded_genres": [" ".join(words.fold(genre)) for genre in fields["genres"]],
        "text_search": words.tsvector(texts),
    }
    movie = await _read(connection, statement, **fields, **folded, **values)
    known = {word for parts in texts.values() for text in parts for word in words.fold(text)}
    await connection.execute(SQL["add_words"], {"words": list(known)})
    return movie


async def _read(connection: Connection, statement: str, **values: object) -> Movie:
    """Runs a statement that returns a movie; raises MovieNotFound if it returns none."""
    cursor = connection.cursor(row_factory=class_row(Movie))
    movie = await (await cursor.execute(SQL[statement], values)).fetchone()
    if movie is None:
        raise MovieNotFound
    return movie
