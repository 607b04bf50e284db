"""The RPCs of MoviesService: each reads its request, asks a noun, and returns its response."""

from typing import Any, TypeAlias

import grpc

from boxoffice.events.v1 import movies_pb2, movies_pb2_grpc
from services.events import requests
from services.events.movies import messages
from services.events.movies.movies import Change, Fields, Movies
from services.events.movies.search import Search
from services.events.requests import ResponseT
from services.kit.rpc import paging

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class MoviesServicer(movies_pb2_grpc.MoviesServiceServicer):
    """Serves boxoffice.events.v1.MoviesService."""

    def __init__(self, movies: Movies, search: Search) -> None:
        self._movies = movies
        self._search = search

    async def CreateMovie(
        self, request: movies_pb2.CreateMovieRequest, _: Context
    ) -> movies_pb2.CreateMovieResponse:
        """See movies.proto."""
        key = requests.key_of(request, request.request_id)
        result = await self._movies.create(messages.fields(request.movie, None), key)
        return _respond(result, movies_pb2.CreateMovieResponse)

    async def GetMovie(
        self, request: movies_pb2.GetMovieRequest, _: Context
    ) -> movies_pb2.GetMovieResponse:
        """See movies.proto."""
        movie = await self._movies.get(request.movie_id)
        return movies_pb2.GetMovieResponse(movie=messages.movie(movie))

    async def ListMovies(
        self, request: movies_pb2.ListMoviesRequest, _: Context
    ) -> movies_pb2.ListMoviesResponse:
        """See movies.proto."""
        wanted = messages.wanted(request)
        token = "" if request.HasField("page") else request.page_token
        page = paging.parse(request.page_size, token, scope=f"movies {wanted}")
        if request.HasField("page"):
            listing = await self._search.list_numbered(wanted, page, request.page)
        else:
            listing = await self._search.list(wanted, page)
        return movies_pb2.ListMoviesResponse(
            movies=map(messages.movie, listing.movies),
            next_page_token=listing.next_page_token,
            total=listing.total,
        )

    async def UpdateMovie(
        self, request: movies_pb2.UpdateMovieRequest, _: Context
    ) -> movies_pb2.UpdateMovieResponse:
        """See movies.proto."""
        paths = request.update_mask.paths if request.HasField("update_mask") else None
        change = _change(request, messages.fields(request.movie, paths))
        return _respond(await self._movies.update(change), movies_pb2.UpdateMovieResponse)

    async def DeleteMovie(
        self, request: movies_pb2.DeleteMovieRequest, _: Context
    ) -> movies_pb2.DeleteMovieResponse:
        """See movies.proto."""
        result = await self._movies.delete(_change(request, {}))
        return _respond(result, movies_pb2.DeleteMovieResponse)


def _change(
    request: movies_pb2.UpdateMovieRequest | movies_pb2.DeleteMovieRequest, fields: Fields
) -> Change:
    key = requests.key_of(request, request.request_id)
    return Change(request.movie_id, fields, requests.versions(request.if_match), key)


def _respond(result: object, expected: type[ResponseT]) -> ResponseT:
    return requests.respond(result, expected, messages.RESPONSES)
