"""A client of events, which reads the catalogue."""

from typing import TypeVar

import grpc

from boxoffice.events.v1 import catalogue_pb2, catalogue_pb2_grpc
from services.bookings.catalogue import messages
from services.bookings.catalogue.following import FeedPage, Listing
from services.bookings.catalogue.places import Place
from services.bookings.errors import EventNotFound, HistoryGone
from services.bookings.inventory import EventState, FeedPosition
from services.kit.auth.authentication import SERVICE_SCHEME
from services.kit.rpc import channel
from services.kit.rpc.errors import Received

STATE_SECONDS = 1.0
LIST_SECONDS = 5.0

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class EventsClient:
    """Reads the catalogue with the services' own key. Methods raise a Refusal."""

    def __init__(self, channel: grpc.aio.Channel, service_key: str) -> None:
        self._stub = catalogue_pb2_grpc.CatalogueServiceStub(channel)
        self._authorization = SERVICE_SCHEME + service_key

    async def get_state(self, event: int | str) -> EventState:
        """Gets the state of an event by number or key; raises EventNotFound."""
        if isinstance(event, int):
            request = catalogue_pb2.GetEventStateRequest(event_id=event)
        else:
            request = catalogue_pb2.GetEventStateRequest(key=event)
        response = await self._call(self._stub.GetEventState, request, STATE_SECONDS)
        return messages.event_state(response.state)

    async def get_place(self, event_id: int) -> Place:
        """See places.Places."""
        request = catalogue_pb2.GetEventPlaceRequest(event_id=event_id)
        response = await self._call(self._stub.GetEventPlace, request, STATE_SECONDS)
        return messages.place(response.place)

    async def list_changes(self, position: FeedPosition, limit: int) -> FeedPage:
        """Lists the changes after a position in the feed; raises HistoryGone."""
        request = catalogue_pb2.ListChangesRequest(
            epoch=position.epoch, after_sequence=position.sequence, limit=limit
        )
        response = await self._call(self._stub.ListChanges, request, LIST_SECONDS)
        return messages.feed_page(response, position)

    async def list_states(self, after_event_id: int, limit: int) -> Listing:
        """Lists the states of events with higher numbers, in their order."""
        request = catalogue_pb2.ListEventStatesRequest(after_event_id=after_event_id, limit=limit)
        response = await self._call(self._stub.ListEventStates, request, LIST_SECONDS)
        return messages.listing(response)

    async def get_seat_plan(self, plan_id: int) -> bytes:
        """Gets a seat plan, serialized."""
        request = catalogue_pb2.GetSeatPlanRequest(plan_id=plan_id)
        response = await self._call(self._stub.GetSeatPlan, request, LIST_SECONDS)
        serialized: bytes = response.plan.SerializeToString()
        return serialized

    async def _call(
        self, rpc: channel.Rpc[RequestT, ResponseT], request: RequestT, timeout_seconds: float
    ) -> ResponseT:
        try:
            return await channel.call(
                rpc, request, timeout_seconds=timeout_seconds, authorization=self._authorization
            )
        except Received as refusal:
            if known := _REFUSALS.get(refusal.reason):
                raise known from refusal
            raise


_REFUSALS = {refusal.reason: refusal for refusal in (EventNotFound, HistoryGone)}
