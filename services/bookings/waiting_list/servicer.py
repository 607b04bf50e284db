"""The RPCs of the waiting list: each reads its request, asks one noun, and writes its response."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import grpc

from boxoffice.bookings.v1 import waiting_list_pb2, waiting_list_pb2_grpc
from services.bookings.access import Viewer, normalised, user_of
from services.bookings.catalogue.event_keys import Keys
from services.bookings.inventory import Ask, Inventory
from services.bookings.reservations import messages, reservations
from services.bookings.reservations.reservations import Reservations
from services.bookings.reservations.responses import responded
from services.bookings.waiting_list.waiting_list import GivingBack, WaitingList
from services.kit.rpc import context, paging
from services.kit.rpc.errors import Refusal
from services.kit.server.batch import (
    Handler,
    Item,
    Outcome,
    answer_alone,
    decide_admitted,
    handlers_of,
)

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVICE = waiting_list_pb2.DESCRIPTOR.services_by_name["WaitingListService"]
WATCH_SECONDS = 60
LOOK_SECONDS = 0.25


class WaitingListServicer(waiting_list_pb2_grpc.WaitingListServiceServicer):
    """Serves boxoffice.bookings.v1.WaitingListService."""

    def __init__(
        self,
        reservations: Reservations,
        waiting_list: WaitingList,
        keys: Keys,
        inventory: Inventory,
        *,
        open_access: bool,
    ) -> None:
        self._reservations = reservations
        self._waiting_list = waiting_list
        self._keys = keys
        self._inventory = inventory
        self._open_access = open_access

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of the methods whose requests share batches."""
        return handlers_of(SERVICE, BookTicket=self._book, CancelTicket=self._cancel)

    async def BookTicket(
        self, request: waiting_list_pb2.BookTicketRequest, _: Context
    ) -> waiting_list_pb2.BookTicketResponse:
        """See waiting_list.proto."""
        return await answer_alone(self._book, request, waiting_list_pb2.BookTicketResponse)

    async def CancelTicket(
        self, request: waiting_list_pb2.CancelTicketRequest, _: Context
    ) -> waiting_list_pb2.CancelTicketResponse:
        """See waiting_list.proto."""
        return await answer_alone(self._cancel, request, waiting_list_pb2.CancelTicketResponse)

    async def GetEventStatus(
        self, request: waiting_list_pb2.GetEventStatusRequest, _: Context
    ) -> waiting_list_pb2.GetEventStatusResponse:
        """See waiting_list.proto."""
        viewer = self._viewer()
        user_id = viewer.caller.subject
        if request.HasField("user_id"):
            user_id = viewer.user(normalised(request.user_id))
        event = await self._waiting_list.tickets(request.event_id, viewer)
        place = user_id and await self._waiting_list.place(event.event_id, user_id)
        return messages.status_response(event, place or None)

    async def ListWaitingList(
        self, request: waiting_list_pb2.ListWaitingListRequest, _: Context
    ) -> waiting_list_pb2.ListWaitingListResponse:
        """See waiting_list.proto."""
        viewer = self._viewer()
        scope = f"waiting list {request.event_id}"
        page = paging.parse(request.page_size, request.page_token, scope=scope)
        event = await self._waiting_list.tickets(request.event_id, viewer)
        listed = await self._waiting_list.list_waiting(event, page, viewer)
        found, token = paging.cut(listed, page)
        return waiting_list_pb2.ListWaitingListResponse(
            entries=map(messages.entry, found), next_page_token=token
        )

    async def GetWaitingListEntry(
        self, request: waiting_list_pb2.GetWaitingListEntryRequest, _: Context
    ) -> waiting_list_pb2.GetWaitingListEntryResponse:
        """See waiting_list.proto."""
        viewer = self._viewer()
        event = await self._waiting_list.tickets(request.event_id, viewer)
        user_id = normalised(request.user_id)
        if not viewer.owns(event.organizer_id):
            viewer.user(user_id)
        found = await self._waiting_list.entry(event.event_id, user_id)
        return waiting_list_pb2.GetWaitingListEntryResponse(entry=messages.entry(found))

    async def WatchWaitingList(
        self, request: waiting_list_pb2.WatchWaitingListRequest, _: Context
    ) -> AsyncIterator[waiting_list_pb2.WatchWaitingListResponse]:
        """See waiting_list.proto."""
        now = asyncio.get_running_loop().time
        ends_at, after = now() + WATCH_SECONDS, request.after_revision
        event_id = await self._keys.event_id(request.event_id)
        while now() < ends_at:
            changes = await self._waiting_list.changes(event_id, after)
            for change in changes:
                yield messages.entry_change(change)
                after = change.rev
            if not changes:
                await asyncio.sleep(LOOK_SECONDS)

    async def SetSkipFit(
        self, request: waiting_list_pb2.SetSkipFitRequest, _: Context
    ) -> waiting_list_pb2.SetSkipFitResponse:
        """See waiting_list.proto."""
        named = request.HasField("skip_fit_after_seconds")
        seconds = request.skip_fit_after_seconds if named else None
        event_id = await self._keys.event_id(request.event_id)
        await self._inventory.set_skip_fit(event_id, seconds)
        return waiting_list_pb2.SetSkipFitResponse()

    async def _book(
        self, items: Sequence[Item[waiting_list_pb2.BookTicketRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        event_ids = await self._keys.event_ids({item.request.event_id for item in items})
        asks = [_ticket(item.request, self._viewer_of(item), event_ids) for item in items]
        decide = partial(self._reservations.decide, skip_busy=skip_busy)
        outcomes = await decide_admitted(asks, decide)
        return responded(asks, outcomes, waiting_list_pb2.BookTicketResponse)

    async def _cancel(
        self, items: Sequence[Item[waiting_list_pb2.CancelTicketRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = [_giving_back(item.request, self._viewer_of(item)) for item in items]
        return await self._waiting_list.give_back(asked, skip_busy=skip_busy)

    def _viewer(self) -> Viewer:
        return Viewer(context.caller.get(), self._open_access)

    def _viewer_of(self, item: Item[Any]) -> Viewer:
        return Viewer(item.caller, self._open_access)


def _ticket(
    request: waiting_list_pb2.BookTicketRequest,
    viewer: Viewer,
    event_ids: Mapping[str, int | Refusal],
) -> Ask | Refusal:
    """Reads what is asked, or returns why it is not the viewer's to ask."""
    try:
        user_id = user_of(request, viewer)
    except Refusal as refusal:
        return refusal
    event_id = event_ids[request.event_id]
    if isinstance(event_id, Refusal):
        return event_id
    event = request.event_id, event_id
    seat_count = request.seat_count or 1
    return reservations.book(event, user_id, seat_count, viewer, request.request_id)


def _giving_back(
    request: waiting_list_pb2.CancelTicketRequest, viewer: Viewer
) -> GivingBack | Refusal:
    """Reads what is given back, or returns why it is not the viewer's to give."""
    try:
        user_id = user_of(request, viewer)
    except Refusal as refusal:
        return refusal
    return GivingBack(request.event_id, user_id, viewer, request.request_id)
