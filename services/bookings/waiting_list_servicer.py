"""The RPCs of the waiting list: each reads its request, asks one noun, and writes its response."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeAlias

import grpc

from boxoffice.bookings.v1 import waiting_list_pb2, waiting_list_pb2_grpc
from services.bookings import messages
from services.bookings.access import Viewer, normalised, user_of
from services.bookings.decisions import TICKET, Busy, Outcome, Request
from services.bookings.keys import Keys
from services.bookings.reservations import Reservations
from services.bookings.waiting_list import WaitingList
from services.kit import context, paging
from services.kit.authentication import Authenticator
from services.kit.callers import Caller, rule_of
from services.kit.errors import Refusal, ValidationFailed, status_of
from services.kit.validation import violations

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVICE = waiting_list_pb2.DESCRIPTOR.services_by_name["WaitingListService"]
WATCH_SECONDS = 60
LOOK_SECONDS = 0.25
BOOK = rule_of(SERVICE.methods_by_name["BookTicket"])


class WaitingListServicer(waiting_list_pb2_grpc.WaitingListServiceServicer):
    """Serves boxoffice.bookings.v1.WaitingListService."""

    def __init__(
        self,
        reservations: Reservations,
        waiting_list: WaitingList,
        keys: Keys,
        *,
        authenticator: Authenticator,
        open_access: bool,
    ) -> None:
        self._reservations = reservations
        self._waiting_list = waiting_list
        self._keys = keys
        self._authenticator = authenticator
        self._open_access = open_access

    async def BookTicket(
        self, request: waiting_list_pb2.BookTicketRequest, _: Context
    ) -> waiting_list_pb2.BookTicketResponse:
        """See waiting_list.proto."""
        [outcome] = await self._book([request], [self._viewer()], skips_locked=False)
        if isinstance(outcome, Refusal):
            raise outcome
        return messages.ticket_response(request, outcome)

    async def BatchBookTicket(
        self, request: waiting_list_pb2.BatchBookTicketRequest, _: Context
    ) -> waiting_list_pb2.BatchBookTicketResponse:
        """See waiting_list.proto. An item that does not pass is refused and touches no other."""
        callers = await self._authenticator.authenticate_all(
            [item.authorization for item in request.items]
        )
        outcomes = await self._book(
            [item.request for item in request.items],
            [self._admitted(*pair) for pair in zip(request.items, callers, strict=True)],
            skips_locked=request.skips_locked,
        )
        results = [
            _result(item.request, outcome)
            for item, outcome in zip(request.items, outcomes, strict=True)
        ]
        return waiting_list_pb2.BatchBookTicketResponse(results=results)

    async def CancelTicket(
        self, request: waiting_list_pb2.CancelTicketRequest, _: Context
    ) -> waiting_list_pb2.CancelTicketResponse:
        """See waiting_list.proto."""
        viewer = self._viewer()
        user_id = user_of(request, viewer)
        given = await self._waiting_list.give_back(
            request.event_id, user_id, viewer, request.request_id
        )
        return messages.give_back_response(given)

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
        await self._waiting_list.set_skip_fit(event_id, seconds)
        return waiting_list_pb2.SetSkipFitResponse()

    async def _book(
        self,
        asked: Sequence[waiting_list_pb2.BookTicketRequest],
        viewers: Sequence[Viewer | Refusal],
        *,
        skips_locked: bool,
    ) -> list[Outcome]:
        """Decides the tickets of those who were admitted; the others have their refusal."""
        event_ids = await self._keys.event_ids({one.event_id for one in asked})
        read = [
            viewer if isinstance(viewer, Refusal) else _request(one, viewer, event_ids)
            for one, viewer in zip(asked, viewers, strict=True)
        ]
        admitted = [one for one in read if isinstance(one, Request)]
        decided = iter(await self._reservations.reserve(admitted, skips_locked=skips_locked))
        return [next(decided) if isinstance(one, Request) else one for one in read]

    def _admitted(
        self, item: waiting_list_pb2.BatchBookTicketItem, caller: Caller | Refusal
    ) -> Viewer | Refusal:
        """Puts an item through what the layers do for a call of its own."""
        if isinstance(caller, Refusal):
            return caller
        try:
            self._authenticator.admit(caller, BOOK)
        except Refusal as refusal:
            return refusal
        if found := violations(item.request, has_account=caller.subject is not None):
            return ValidationFailed(violations=found)
        return Viewer(caller, self._open_access)

    def _viewer(self) -> Viewer:
        return Viewer(context.caller.get(), self._open_access)


def _request(
    request: waiting_list_pb2.BookTicketRequest,
    viewer: Viewer,
    event_ids: dict[str, int | Refusal],
) -> Request | Refusal:
    try:
        user_id = user_of(request, viewer)
    except Refusal as refusal:
        return refusal
    event_id = event_ids[request.event_id]
    if isinstance(event_id, Refusal):
        return event_id
    return Request(
        event_id,
        user_id,
        seat_count=request.seat_count or 1,
        caller=viewer.key_owner,
        key=request.request_id or None,
        way=TICKET,
        viewer=viewer,
    )


def _result(
    request: waiting_list_pb2.BookTicketRequest, outcome: Outcome
) -> waiting_list_pb2.BatchBookTicketResult:
    if isinstance(outcome, Busy):
        return waiting_list_pb2.BatchBookTicketResult(busy=True)
    if isinstance(outcome, Refusal):
        return waiting_list_pb2.BatchBookTicketResult(error=status_of(outcome))
    return waiting_list_pb2.BatchBookTicketResult(
        response=messages.ticket_response(request, outcome)
    )
