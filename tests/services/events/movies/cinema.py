"""How a test makes, changes and finds movies."""

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from boxoffice.events.v1 import movies_pb2
from tests.services.events.client import SERVICE, Client


async def create(client: Client, *, request_id: str = "", **fields: Any) -> movies_pb2.Movie:
    """Creates a movie, of two hours by default."""
    usual: dict[str, Any] = {"title": "Storm", "duration_minutes": 120}
    request = movies_pb2.CreateMovieRequest(
        movie=movies_pb2.Movie(**(usual | fields)), request_id=request_id
    )
    response: movies_pb2.CreateMovieResponse = await client.call(
        client.movies.CreateMovie, request, SERVICE
    )
    return response.movie


async def update(
    client: Client, movie_id: int, *, if_match: str = "", request_id: str = "", **fields: Any
) -> movies_pb2.UpdateMovieResponse:
    """Changes the fields of a movie; None clears one."""
    given = {name: value for name, value in fields.items() if value is not None}
    request = movies_pb2.UpdateMovieRequest(
        movie_id=movie_id,
        movie=movies_pb2.Movie(**given),
        update_mask=FieldMask(paths=list(fields)),
        if_match=if_match,
        request_id=request_id,
    )
    response: movies_pb2.UpdateMovieResponse = await client.call(
        client.movies.UpdateMovie, request, SERVICE
    )
    return response


async def delete(client: Client, movie_id: int, **wanted: Any) -> movies_pb2.DeleteMovieResponse:
    """Deletes a movie."""
    request = movies_pb2.DeleteMovieRequest(movie_id=movie_id, **wanted)
    response: movies_pb2.DeleteMovieResponse = await client.call(
        client.movies.DeleteMovie, request, SERVICE
    )
    return response


async def get(client: Client, movie_id: int) -> movies_pb2.Movie:
    """Gets a movie."""
    request = movies_pb2.GetMovieRequest(movie_id=movie_id)
    response: movies_pb2.GetMovieResponse = await client.call(client.movies.GetMovie, request)
    return response.movie


async def listed(client: Client, **wanted: Any) -> movies_pb2.ListMoviesResponse:
    """Lists a page of movies."""
    request = movies_pb2.ListMoviesRequest(**wanted)
    response: movies_pb2.ListMoviesResponse = await client.call(client.movies.ListMovies, request)
    return response


async def titles(client: Client, **wanted: Any) -> list[str]:
    """Lists the titles of a page of movies."""
    return [movie.title for movie in (await listed(client, **wanted)).movies]
