"""The RPCs of events: each method reads its request, asks one noun, and writes its response."""

import re
from typing import Any, TypeAlias

import grpc

from boxoffice.events.v1 import catalogue_pb2, catalogue_pb2_grpc, events_pb2, events_pb2_grpc
from services.events.access import Viewer
from services.events.events import messages
from services.events.events.answers import Deleted, Replay, Shown
from services.events.events.changes import Change, Changes
from services.events.events.events import Events, Filter
from services.events.events.revisions import Fields
from services.events.feed.feed import Feed
from services.events.idempotency import Request
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
        answer = await self._events.create(fields, self._viewer(), _keyed(request))
        return events_pb2.CreateEventResponse(
            event=_event(answer), replayed=isinstance(answer, Replay)
        )

    async def InitializeEvent(
        self, request: events_pb2.InitializeEventRequest, _: Context
    ) -> events_pb2.InitializeEventResponse:
        """See events.proto."""
        answer = await self._events.initialize(
            request.event_id, request.total_tickets, self._viewer(), _keyed(request)
        )
        if not isinstance(answer, Replay):
            return messages.initialize_response(answer)
        response = events_pb2.InitializeEventResponse.FromString(messages.stored(answer))
        response.replayed = True
        return response

    async def GetEvent(
        self, request: events_pb2.GetEventRequest, _: Context
    ) -> events_pb2.GetEventResponse:
        """See events.proto."""
        shown = await self._events.get(request.event_id, self._viewer())
        return events_pb2.GetEventResponse(event=messages.event(shown))

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
        answer = await self._changes.update(self._change(request, fields))
        return events_pb2.UpdateEventResponse(
            event=_event(answer), replayed=isinstance(answer, Replay)
        )

    async def DeleteEvent(
        self, request: events_pb2.DeleteEventRequest, _: Context
    ) -> events_pb2.DeleteEventResponse:
        """See events.proto."""
        answer = await self._changes.delete(self._change(request, {}))
        return events_pb2.DeleteEventResponse(
            deleted_event=_deleted_event(answer), replayed=isinstance(answer, Replay)
        )

    def _change(
        self, request: events_pb2.UpdateEventRequest | events_pb2.DeleteEventRequest, fields: Fields
    ) -> Change:
        versions = _versions(request.if_match)
        return Change(request.event_id, fields, versions, self._viewer(), _keyed(request))

    def _viewer(self) -> Viewer:
        return Viewer(context.caller.get(), self._open_access)


class CatalogueServicer(catalogue_pb2_grpc.CatalogueServiceServicer):
    """Serves boxoffice.events.v1.CatalogueService."""

    def __init__(self, events: Events, feed: Feed) -> None:
        self._events = events
        self._feed = feed

    async def GetEventState(
        self, request: catalogue_pb2.GetEventStateRequest, _: Context
    ) -> catalogue_pb2.GetEventStateResponse:
        """See catalogue.proto."""
        if request.HasField("key"):
            event = await self._events.get_state_of_key(request.key)
        else:
            event = await self._events.get_state(request.event_id)
        return catalogue_pb2.GetEventStateResponse(state=messages.state(event))

    async def ListChanges(
        self, request: catalogue_pb2.ListChangesRequest, _: Context
    ) -> catalogue_pb2.ListChangesResponse:
        """See catalogue.proto."""
        return messages.changes(
            await self._feed.list_changes(request.epoch, request.after_sequence, request.limit)
        )

    async def ListEventStates(
        self, request: catalogue_pb2.ListEventStatesRequest, _: Context
    ) -> catalogue_pb2.ListEventStatesResponse:
        """See catalogue.proto."""
        found, head = await self._feed.list_states(request.after_event_id, request.limit)
        return catalogue_pb2.ListEventStatesResponse(
            states=map(messages.state, found), epoch=head.epoch, head_sequence=head.sequence
        )


def _keyed(request: messages.Keyed) -> Request | None:
    """Reads the idempotency key, if there is one; services share one range of keys."""
    if not request.request_id:
        return None
    caller = context.caller.get()
    owner = "service" if caller.is_service else caller.subject or ""
    operation = request.DESCRIPTOR.name.removesuffix("Request")
    return Request(owner, operation, request.request_id, messages.fingerprint(request))


def _versions(if_match: str) -> frozenset[str] | None:
    """Reads the versions that `If-Match` admits; None admits any. A weak tag never matches."""
    if if_match.strip() in {"", "*"}:
        return None
    return frozenset(_STRONG_TAG.findall(if_match))


_STRONG_TAG = re.compile(r'(?:^|,)\s*"([^"]*)"(?=\s*(?:,|$))')


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


def _event(answer: Shown | Replay) -> events_pb2.Event:
    if isinstance(answer, Replay):
        return events_pb2.Event.FromString(messages.stored(answer))
    return messages.event(answer)


def _deleted_event(answer: Deleted | Replay) -> events_pb2.DeletedEvent:
    if isinstance(answer, Replay):
        return events_pb2.DeletedEvent.FromString(messages.stored(answer))
    return messages.deleted_event(answer)
