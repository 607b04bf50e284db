"""The RPCs of EventsService: each reads its request, calls a use case, returns its response."""

from typing import Any, TypeAlias

import grpc

from boxoffice.events.v1 import events_pb2, events_pb2_grpc
from services.events import requests
from services.events.access import Viewer
from services.events.events import messages
from services.events.events.changes import Change, Changes
from services.events.events.events import Events, Filter, WantedEvent
from services.events.events.revisions import Fields
from services.events.requests import ResponseT
from services.kit.rpc import context, paging

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class EventsServicer(events_pb2_grpc.EventsServiceServicer):
    """Serves boxoffice.events.v1.EventsService."""

    def __init__(self, events: Events, changes: Changes, *, open_access: bool) -> None:
        self._events = events
        self._changes = changes
        self._open_access = open_access

    async def CreateEvent(
        self, request: events_pb2.CreateEventRequest, _: Context
    ) -> events_pb2.CreateEventResponse:
        """See events.proto."""
        fields = {"status": "PUBLISHED", **messages.fields(request.event, None)}
        key = requests.key_of(request, request.request_id)
        result = await self._events.create(fields, self._viewer(), key)
        return _respond(result, events_pb2.CreateEventResponse)

    async def InitializeEvent(
        self, request: events_pb2.InitializeEventRequest, _: Context
    ) -> events_pb2.InitializeEventResponse:
        """See events.proto."""
        wanted = WantedEvent(request.event_id, request.total_tickets, self._viewer())
        key = requests.key_of(request, request.request_id)
        result = await self._events.initialize(wanted, key)
        return _respond(result, events_pb2.InitializeEventResponse)

    async def GetEvent(
        self, request: events_pb2.GetEventRequest, _: Context
    ) -> events_pb2.GetEventResponse:
        """See events.proto."""
        details = await self._events.get(request.event_id, self._viewer())
        return events_pb2.GetEventResponse(event=messages.event(details))

    async def ListEvents(
        self, request: events_pb2.ListEventsRequest, _: Context
    ) -> events_pb2.ListEventsResponse:
        """See events.proto."""
        wanted, viewer = _filter(request), self._viewer()
        token = "" if request.HasField("page") else request.page_token
        page = paging.parse(request.page_size, token, scope=f"events {wanted}")
        if request.HasField("page"):
            listing = await self._events.list_numbered(wanted, viewer, page, request.page)
        else:
            listing = await self._events.list(wanted, viewer, page)
        return events_pb2.ListEventsResponse(
            events=map(messages.event, listing.events),
            next_page_token=listing.next_page_token,
            total=listing.total,
        )

    async def ListOrganizerEvents(
        self, request: events_pb2.ListOrganizerEventsRequest, _: Context
    ) -> events_pb2.ListOrganizerEventsResponse:
        """See events.proto."""
        viewer = self._viewer()
        wanted = Filter(_status(request), viewer.organizer_id, None)
        page = paging.parse(request.page_size, "", scope="")
        listing = await self._events.list_numbered(wanted, viewer, page, request.page or 1)
        return events_pb2.ListOrganizerEventsResponse(
            events=map(messages.event, listing.events), total=listing.total
        )

    async def UpdateEvent(
        self, request: events_pb2.UpdateEventRequest, _: Context
    ) -> events_pb2.UpdateEventResponse:
        """See events.proto."""
        paths = request.update_mask.paths if request.HasField("update_mask") else None
        fields = messages.fields(request.event, paths)
        if request.HasField("copied_name"):
            fields = {**fields, "copied_name": request.copied_name}
        result = await self._changes.update(self._change(request, fields))
        return _respond(result, events_pb2.UpdateEventResponse)

    async def DeleteEvent(
        self, request: events_pb2.DeleteEventRequest, _: Context
    ) -> events_pb2.DeleteEventResponse:
        """See events.proto."""
        result = await self._changes.delete(self._change(request, {}))
        return _respond(result, events_pb2.DeleteEventResponse)

    def _change(
        self, request: events_pb2.UpdateEventRequest | events_pb2.DeleteEventRequest, fields: Fields
    ) -> Change:
        key = requests.key_of(request, request.request_id)
        versions = requests.versions(request.if_match)
        return Change(request.event_id, fields, versions, self._viewer(), key)

    def _viewer(self) -> Viewer:
        return Viewer(context.caller.get(), self._open_access)


def _respond(result: object, expected: type[ResponseT]) -> ResponseT:
    return requests.respond(result, expected, messages.RESPONSES)


def _filter(request: events_pb2.ListEventsRequest) -> Filter:
    """Reads which events to list; a blank query is none."""
    return Filter(
        status=_status(request),
        organizer_id=request.organizer_id if request.HasField("organizer_id") else None,
        query=request.query.strip() or None,
    )


def _status(
    request: events_pb2.ListEventsRequest | events_pb2.ListOrganizerEventsRequest,
) -> str | None:
    return messages.status_name(request.status) if request.HasField("status") else None
