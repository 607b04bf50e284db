"""The RPCs for events by key: booking or waiting, cancelling, and reading the line."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from boxoffice.bookings.v1 import waiting_list_pb2, waiting_list_pb2_grpc
from services.bookings import asks
from services.bookings.access import Viewers, normalised
from services.bookings.catalogue.availability import Availability
from services.bookings.catalogue.event_keys import EventKeys
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Ask, Inventory, Seats
from services.bookings.managing import ManagedBookings
from services.bookings.tail import LedgerTail
from services.bookings.waiting_list import booking, messages
from services.bookings.waiting_list.waiting_list import WaitingList
from services.kit.audit.log import AuditLog
from services.kit.database.postgres import Pool
from services.kit.rpc import paging
from services.kit.rpc.errors import Refusal
from services.kit.server.batch import Handler, Item, Outcome, answer_alone, handlers_of

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
EventIds: TypeAlias = Mapping[str, int | Refusal]
SERVICE = waiting_list_pb2.DESCRIPTOR.services_by_name["WaitingListService"]


class WaitingListServicer(waiting_list_pb2_grpc.WaitingListServiceServicer):
    """Serves boxoffice.bookings.v1.WaitingListService."""

    def __init__(
        self,
        pool: Pool,
        inventory: Inventory,
        catalogue: Catalogue,
        tail: LedgerTail,
        *,
        open_access: bool,
    ) -> None:
        self._inventory = inventory
        self._managed = ManagedBookings(
            AuditLog(pool), inventory, SERVICE, booking="result.booking_id"
        )
        self._event_keys = EventKeys(pool, catalogue)
        self._availability = Availability(inventory, catalogue)
        self._tail = tail
        self._waiting_list = WaitingList(pool)
        self._viewers = Viewers(open_access)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of the methods whose requests share batches."""
        return handlers_of(SERVICE, Book=self._book, Cancel=self._cancel)

    async def Book(
        self, request: waiting_list_pb2.BookRequest, _: Context
    ) -> waiting_list_pb2.BookResponse:
        """See waiting_list.proto."""
        return await answer_alone(self._book, request, waiting_list_pb2.BookResponse)

    async def Cancel(
        self, request: waiting_list_pb2.CancelRequest, _: Context
    ) -> waiting_list_pb2.CancelResponse:
        """See waiting_list.proto."""
        return await answer_alone(self._cancel, request, waiting_list_pb2.CancelResponse)

    async def GetEventStatus(
        self, request: waiting_list_pb2.GetEventStatusRequest, _: Context
    ) -> waiting_list_pb2.GetEventStatusResponse:
        """See waiting_list.proto."""
        viewer = self._viewers.current()
        user_id = viewer.caller.subject
        if request.HasField("user_id"):
            user_id = viewer.user(request.user_id)
        seats = await self._seats(request.event_id)
        standing = user_id and await self._waiting_list.standing(seats.event_id, user_id)
        return messages.status_response(request.event_id, seats, standing or None)

    async def ListWaitingList(
        self, request: waiting_list_pb2.ListWaitingListRequest, _: Context
    ) -> waiting_list_pb2.ListWaitingListResponse:
        """See waiting_list.proto."""
        scope = f"waiting list {request.event_id}"
        page = paging.parse(request.page_size, request.page_token, scope=scope)
        seats = await self._seats(request.event_id)
        listed = await self._waiting_list.list_waiting(seats, page, self._viewers.current())
        found, token = paging.cut(listed, page)
        return waiting_list_pb2.ListWaitingListResponse(
            entries=map(messages.entry, found), next_page_token=token
        )

    async def GetWaitingListEntry(
        self, request: waiting_list_pb2.GetWaitingListEntryRequest, _: Context
    ) -> waiting_list_pb2.GetWaitingListEntryResponse:
        """See waiting_list.proto."""
        viewer = self._viewers.current()
        seats = await self._seats(request.event_id)
        user_id = normalised(request.user_id)
        if not viewer.owns(seats.organizer_id):
            viewer.user(user_id)
        found = await self._waiting_list.entry(seats.event_id, user_id)
        return waiting_list_pb2.GetWaitingListEntryResponse(entry=messages.entry(found))

    async def WatchWaitingList(
        self, request: waiting_list_pb2.WatchWaitingListRequest, _: Context
    ) -> AsyncGenerator[waiting_list_pb2.WatchWaitingListResponse, None]:
        """See waiting_list.proto."""
        seats = await self._seats(request.event_id)
        changes = self._waiting_list.watch(self._tail, seats, request.after_revision)
        async with contextlib.aclosing(changes):
            async for change in changes:
                yield messages.entry_change(change)

    async def SetSkipFit(
        self, request: waiting_list_pb2.SetSkipFitRequest, _: Context
    ) -> waiting_list_pb2.SetSkipFitResponse:
        """See waiting_list.proto."""
        named = request.HasField("skip_fit_after_seconds")
        seconds = request.skip_fit_after_seconds if named else None
        event_id = await self._event_keys.find(request.event_id)
        await self._inventory.set_skip_fit(event_id, seconds)
        return waiting_list_pb2.SetSkipFitResponse()

    async def _book(
        self, items: Sequence[Item[waiting_list_pb2.BookRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        response = waiting_list_pb2.BookResponse
        return await self._answer(items, self._booking, response, skip_busy=skip_busy)

    async def _cancel(
        self, items: Sequence[Item[waiting_list_pb2.CancelRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        response = waiting_list_pb2.CancelResponse
        return await self._answer(items, self._cancellation, response, skip_busy=skip_busy)

    async def _answer(
        self,
        items: Sequence[Item[Any]],
        read: Callable[[EventIds, Item[Any]], Ask],
        response: type[Message],
        *,
        skip_busy: bool,
    ) -> Sequence[Outcome]:
        event_ids = await self._event_keys.find_all({item.request.event_id for item in items})
        asked = asks.read_each(items, partial(read, event_ids))
        return await self._managed.answer(items, asked, response, skip_busy=skip_busy)

    def _booking(self, event_ids: EventIds, item: Item[waiting_list_pb2.BookRequest]) -> Ask:
        request, viewer = item.request, self._viewers.of(item.caller)
        user_id = viewer.user(request.user_id)
        event = request.event_id, _found(event_ids, request.event_id)
        seats, request_id = request.seat_count or 1, request.request_id
        return booking.book(
            event, user_id, seats, viewer, request_id, queue_token=request.queue_token
        )

    def _cancellation(self, event_ids: EventIds, item: Item[waiting_list_pb2.CancelRequest]) -> Ask:
        request, viewer = item.request, self._viewers.of(item.caller)
        user_id = viewer.user(request.user_id)
        event_id = _found(event_ids, request.event_id)
        return booking.cancel(event_id, user_id, viewer, request.request_id)

    async def _seats(self, event_key: str) -> Seats:
        """Counts the seats of an event; raises EventNotFound unless the caller may see it."""
        event_id = await self._event_keys.find(event_key)
        return await self._availability.get(event_id, self._viewers.current())


def _found(event_ids: EventIds, event_key: str) -> int:
    found = event_ids[event_key]
    if isinstance(found, Refusal):
        raise found
    return found
