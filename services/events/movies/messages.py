"""Converts between protobuf messages and movies."""

from collections.abc import Iterable
from datetime import date

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor

from boxoffice.events.v1 import movies_pb2
from services.events.movies.movies import DeletedMovie, Fields, Movie
from services.events.movies.search import Filter
from services.events.requests import Responses
from services.kit.rpc import masks
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.timestamps import timestamp


def movie(found: Movie) -> movies_pb2.Movie:
    """Returns a movie as clients see it."""
    return movies_pb2.Movie(
        id=found.id,
        title=found.title,
        description=found.description,
        duration_minutes=found.duration_minutes,
        release_date=found.release_date.isoformat() if found.release_date else None,
        director=found.director,
        cast=found.cast,
        genres=found.genres,
        age_rating=found.age_rating,
        poster_url=found.poster_url,
        version=found.version,
        created_at=timestamp(found.created_at),
        updated_at=timestamp(found.updated_at),
    )


def fields(message: movies_pb2.Movie, paths: Iterable[str] | None) -> Fields:
    """Reads the columns that a client sets: those that `paths` name, or else those that are set.

    A column that is named and not set is None, or an empty list. Raises ValidationFailed.
    """
    set_names = {field.name for field, _ in message.ListFields()}
    named = masks.fields(paths, message) if paths is not None else set_names
    return {name: _column(message, name) for name in _SETTABLE if name in named}


def wanted(request: movies_pb2.ListMoviesRequest) -> Filter:
    """Reads which movies to list; a blank query is none."""
    return Filter(
        query=request.query.strip() or None,
        genre=request.genre if request.HasField("genre") else None,
        year=request.year if request.HasField("year") else None,
        sort=request.sort if request.HasField("sort") else None,
    )


def _column(message: movies_pb2.Movie, name: str) -> object:
    if name in _LISTS:
        return list(getattr(message, name))
    if not message.HasField(name):  # type: ignore[arg-type]
        return None
    return _day(message.release_date) if name == "release_date" else getattr(message, name)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        wrong = Violation("movie.release_date", "must be a day that the calendar has")
        raise ValidationFailed(violations=[wrong]) from error


def _is_settable(field: FieldDescriptor) -> bool:
    behavior = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.OUTPUT_ONLY not in behavior


_SETTABLE = [field.name for field in movies_pb2.Movie.DESCRIPTOR.fields if _is_settable(field)]
_LISTS = {field.name for field in movies_pb2.Movie.DESCRIPTOR.fields if field.is_repeated}


def _deleted(deleted: DeletedMovie) -> movies_pb2.DeleteMovieResponse:
    return movies_pb2.DeleteMovieResponse(
        deleted_movie=movies_pb2.DeletedMovie(movie_id=deleted.movie_id)
    )


RESPONSES: Responses = {
    "CreateMovie": lambda created: movies_pb2.CreateMovieResponse(movie=movie(created)),
    "UpdateMovie": lambda changed: movies_pb2.UpdateMovieResponse(movie=movie(changed)),
    "DeleteMovie": _deleted,
}
