"""The RPCs of CatalogueService: each reads its request, calls the feed, returns its response."""

from typing import Any, TypeAlias

import grpc

from boxoffice.events.v1 import catalogue_pb2, catalogue_pb2_grpc
from services.events.events import messages
from services.events.events.events import Events
from services.events.feed.feed import Feed
from services.events.theaters import messages as theaters_messages
from services.events.theaters.rooms import Rooms
from services.kit.rpc.timestamps import timestamp

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class CatalogueServicer(catalogue_pb2_grpc.CatalogueServiceServicer):
    """Serves boxoffice.events.v1.CatalogueService."""

    def __init__(self, events: Events, feed: Feed, rooms: Rooms) -> None:
        self._events = events
        self._feed = feed
        self._rooms = rooms

    async def GetEventState(
        self, request: catalogue_pb2.GetEventStateRequest, _: Context
    ) -> catalogue_pb2.GetEventStateResponse:
        """See catalogue.proto."""
        if request.HasField("key"):
            event = await self._events.get_state_of_key(request.key)
        else:
            event = await self._events.get_state(request.event_id)
        return catalogue_pb2.GetEventStateResponse(state=messages.state(event))

    async def GetEventPlace(
        self, request: catalogue_pb2.GetEventPlaceRequest, _: Context
    ) -> catalogue_pb2.GetEventPlaceResponse:
        """See catalogue.proto."""
        place = await self._events.get_place(request.event_id)
        return catalogue_pb2.GetEventPlaceResponse(place=messages.place(place))

    async def ListChanges(
        self, request: catalogue_pb2.ListChangesRequest, _: Context
    ) -> catalogue_pb2.ListChangesResponse:
        """See catalogue.proto."""
        found = await self._feed.list_changes(request.epoch, request.after_sequence, request.limit)
        changes = (
            catalogue_pb2.EventChange(
                sequence=change.sequence,
                changed_at=timestamp(change.changed_at),
                state=messages.state(change.event),
            )
            for change in found.changes
        )
        return catalogue_pb2.ListChangesResponse(
            changes=changes, epoch=found.head.epoch, head_sequence=found.head.sequence
        )

    async def ListEventStates(
        self, request: catalogue_pb2.ListEventStatesRequest, _: Context
    ) -> catalogue_pb2.ListEventStatesResponse:
        """See catalogue.proto."""
        found, head = await self._feed.list_states(request.after_event_id, request.limit)
        return catalogue_pb2.ListEventStatesResponse(
            states=map(messages.state, found), epoch=head.epoch, head_sequence=head.sequence
        )

    async def GetSeatPlan(
        self, request: catalogue_pb2.GetSeatPlanRequest, _: Context
    ) -> catalogue_pb2.GetSeatPlanResponse:
        """See catalogue.proto."""
        found = await self._rooms.plan(request.plan_id)
        return catalogue_pb2.GetSeatPlanResponse(
            plan=theaters_messages.seat_plan(found.id, found.plan)
        )
