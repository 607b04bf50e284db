"""The RPCs of ScreeningsService: each reads its request, asks a noun, and returns its response."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any, TypeAlias

import grpc

from boxoffice.events.v1 import screenings_pb2, screenings_pb2_grpc
from services.events import requests
from services.events.access import Viewer
from services.events.errors import EventNotFound, ScreeningNotFound
from services.events.events import messages as event_messages
from services.events.events.changes import Change, Changes
from services.events.events.events import Events
from services.events.events.revisions import Fields
from services.events.requests import ResponseT
from services.events.screenings import messages
from services.events.screenings.screenings import Filter, Screenings
from services.kit.rpc import context, paging
from services.kit.rpc.errors import ValidationFailed, Violation

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class ScreeningsServicer(screenings_pb2_grpc.ScreeningsServiceServicer):
    """Serves boxoffice.events.v1.ScreeningsService."""

    def __init__(
        self, screenings: Screenings, events: Events, changes: Changes, *, open_access: bool
    ) -> None:
        self._screenings = screenings
        self._events = events
        self._changes = changes
        self._open_access = open_access

    async def ListScreenings(
        self, request: screenings_pb2.ListScreeningsRequest, _: Context
    ) -> screenings_pb2.ListScreeningsResponse:
        """See screenings.proto."""
        wanted, viewer = _filter(request), self._viewer()
        token = "" if request.HasField("page") else request.page_token
        page = paging.parse(request.page_size, token, scope=f"screenings {wanted}")
        if request.HasField("page"):
            listing = await self._screenings.list_numbered(wanted, viewer, page, request.page)
        else:
            listing = await self._screenings.list(wanted, viewer, page)
        return screenings_pb2.ListScreeningsResponse(
            screenings=map(messages.screening, listing.events),
            next_page_token=listing.next_page_token,
            total=listing.total,
        )

    async def GetScreening(
        self, request: screenings_pb2.GetScreeningRequest, _: Context
    ) -> screenings_pb2.GetScreeningResponse:
        """See screenings.proto."""
        with _of_screening():
            details = await self._screenings.get(request.screening_id, self._viewer())
        return screenings_pb2.GetScreeningResponse(screening=messages.screening(details))

    async def CreateScreening(
        self, request: screenings_pb2.CreateScreeningRequest, _: Context
    ) -> screenings_pb2.CreateScreeningResponse:
        """See screenings.proto."""
        key = requests.key_of(request, request.request_id)
        with _of_screening():
            fields = event_messages.fields(request.screening, None)
            published = {"status": "PUBLISHED", **fields}
            result = await self._events.create(published, self._viewer(), key)
        return _respond(result, screenings_pb2.CreateScreeningResponse)

    async def UpdateScreening(
        self, request: screenings_pb2.UpdateScreeningRequest, _: Context
    ) -> screenings_pb2.UpdateScreeningResponse:
        """See screenings.proto."""
        paths = request.update_mask.paths if request.HasField("update_mask") else None
        with _of_screening():
            fields = event_messages.fields(request.screening, paths)
            result = await self._changes.update(self._change(request, fields))
        return _respond(result, screenings_pb2.UpdateScreeningResponse)

    async def DeleteScreening(
        self, request: screenings_pb2.DeleteScreeningRequest, _: Context
    ) -> screenings_pb2.DeleteScreeningResponse:
        """See screenings.proto."""
        with _of_screening():
            result = await self._changes.delete(self._change(request, {}))
        return _respond(result, screenings_pb2.DeleteScreeningResponse)

    def _change(
        self,
        request: screenings_pb2.UpdateScreeningRequest | screenings_pb2.DeleteScreeningRequest,
        fields: Fields,
    ) -> Change:
        key = requests.key_of(request, request.request_id)
        versions = requests.versions(request.if_match)
        viewer = self._viewer()
        return Change(request.screening_id, fields, versions, viewer, key, of_screening=True)

    def _viewer(self) -> Viewer:
        return Viewer(context.caller.get(), self._open_access)


@contextlib.contextmanager
def _of_screening() -> Iterator[None]:
    """Speaks of a screening where the block refuses something of its event."""
    try:
        yield
    except EventNotFound as refusal:
        raise ScreeningNotFound from refusal
    except ValidationFailed as refusal:
        named = [
            replace(wrong, path=wrong.path.replace("event.", "screening.", 1))
            for wrong in refusal.violations
        ]
        raise ValidationFailed(violations=named) from refusal


def _respond(result: object, expected: type[ResponseT]) -> ResponseT:
    return requests.respond(result, expected, messages.RESPONSES)


def _filter(request: screenings_pb2.ListScreeningsRequest) -> Filter:
    return Filter(
        day=_day(request.date),
        movie_id=request.movie_id if request.HasField("movie_id") else None,
        theater_id=request.theater_id if request.HasField("theater_id") else None,
        room_id=request.room_id if request.HasField("room_id") else None,
    )


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written) if written else None
    except ValueError as error:
        unknown = Violation("date", "must be a day that the calendar has")
        raise ValidationFailed(violations=[unknown]) from error
