"""The RPCs of bookings: each method reads its request, asks one noun, and writes its response."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

import grpc
from google.rpc import status_pb2

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc, inventory_pb2, inventory_pb2_grpc
from services.bookings import messages
from services.bookings.access import Viewer, normalised, user_of
from services.bookings.availability import Availability
from services.bookings.bookings import Bookings
from services.bookings.cancellations import Cancellations
from services.bookings.decisions import CREATE, Busy, Outcome, Request, booked
from services.bookings.following import Follower
from services.bookings.inventory import Inventory, Seats
from services.bookings.rankings import Rankings
from services.bookings.reservations import Reservations
from services.kit import context, paging
from services.kit.authentication import Authenticator, Caller
from services.kit.callers import rule_of
from services.kit.errors import Refusal, ValidationFailed, status_of
from services.kit.validation import violations

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
RESERVE = rule_of(
    bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"].methods_by_name["Reserve"]
)


class BookingsServicer(bookings_pb2_grpc.BookingsServiceServicer):
    """Serves boxoffice.bookings.v1.BookingsService."""

    def __init__(
        self,
        reservations: Reservations,
        availability: Availability,
        bookings: Bookings,
        cancellations: Cancellations,
        rankings: Rankings,
        *,
        authenticator: Authenticator,
        open_access: bool,
    ) -> None:
        self._reservations = reservations
        self._availability = availability
        self._bookings = bookings
        self._cancellations = cancellations
        self._rankings = rankings
        self._authenticator = authenticator
        self._open_access = open_access

    async def Reserve(
        self, request: bookings_pb2.ReserveRequest, _: Context
    ) -> bookings_pb2.ReserveResponse:
        """See bookings.proto."""
        [outcome] = await self._reservations.reserve([_request(request, self._viewer())])
        return messages.reserve_response(booked(outcome))

    async def BatchReserve(
        self, request: bookings_pb2.BatchReserveRequest, _: Context
    ) -> bookings_pb2.BatchReserveResponse:
        """See bookings.proto. An item that does not pass is refused without touching the others."""
        callers = await self._authenticator.authenticate_all(
            [item.authorization for item in request.items]
        )
        asked = [
            self._admitted(item, caller)
            for item, caller in zip(request.items, callers, strict=True)
        ]
        admitted = [item for item in asked if isinstance(item, Request)]
        decided = iter(
            await self._reservations.reserve(admitted, skips_locked=request.skips_locked)
        )
        outcomes = [next(decided) if isinstance(item, Request) else item for item in asked]
        return _batch_reserve_response(outcomes)

    async def CreateBooking(
        self, request: bookings_pb2.CreateBookingRequest, _: Context
    ) -> bookings_pb2.CreateBookingResponse:
        """See bookings.proto."""
        viewer = self._viewer()
        asked = Request(
            request.event_id,
            viewer.user(),
            seat_count=request.seat_count,
            caller=viewer.key_owner,
            key=request.request_id or None,
            way=CREATE,
            viewer=viewer,
        )
        [outcome] = await self._reservations.reserve([asked])
        return messages.create_response(booked(outcome))

    async def GetAvailability(
        self, request: bookings_pb2.GetAvailabilityRequest, _: Context
    ) -> bookings_pb2.GetAvailabilityResponse:
        """See bookings.proto."""
        [seats] = (await self._availability.count([request.event_id], self._viewer())).values()
        if isinstance(seats, Refusal):
            raise seats
        return messages.availability_response(seats)

    async def BatchGetAvailability(
        self, request: bookings_pb2.BatchGetAvailabilityRequest, _: Context
    ) -> bookings_pb2.BatchGetAvailabilityResponse:
        """See bookings.proto."""
        results = {
            item.event_id: ValidationFailed(violations=found)
            for item in request.items
            if (found := violations(item))
        }
        valid = {item.event_id for item in request.items} - results.keys()
        counted = results | await self._availability.count(valid, self._viewer())
        return bookings_pb2.BatchGetAvailabilityResponse(
            results=[_availability_result(counted[item.event_id]) for item in request.items]
        )

    async def ListBookings(
        self, request: bookings_pb2.ListBookingsRequest, _: Context
    ) -> bookings_pb2.ListBookingsResponse:
        """See bookings.proto."""
        page = paging.parse(request.page_size, request.page_token, scope="bookings")
        found, token = paging.cut(await self._bookings.list_all(page, self._viewer()), page)
        return bookings_pb2.ListBookingsResponse(
            bookings=map(messages.booking, found), next_page_token=token
        )

    async def ListUserBookings(
        self, request: bookings_pb2.ListUserBookingsRequest, _: Context
    ) -> bookings_pb2.ListUserBookingsResponse:
        """See bookings.proto."""
        user_id = normalised(request.user_id)
        page = paging.parse(request.page_size, request.page_token, scope=f"user {user_id}")
        listed = await self._bookings.list_of_user(user_id, page, self._viewer())
        found, token = paging.cut(listed, page)
        return bookings_pb2.ListUserBookingsResponse(
            bookings=map(messages.booking, found), next_page_token=token
        )

    async def ListEventBookings(
        self, request: bookings_pb2.ListEventBookingsRequest, _: Context
    ) -> bookings_pb2.ListEventBookingsResponse:
        """See bookings.proto."""
        page = paging.parse(
            request.page_size, request.page_token, scope=f"event {request.event_id}"
        )
        listed = await self._bookings.list_of_event(request.event_id, page, self._viewer())
        found, token = paging.cut(listed, page)
        return bookings_pb2.ListEventBookingsResponse(
            bookings=map(messages.booking, found), next_page_token=token
        )

    async def GetBooking(
        self, request: bookings_pb2.GetBookingRequest, _: Context
    ) -> bookings_pb2.GetBookingResponse:
        """See bookings.proto."""
        found = await self._bookings.get(request.booking_id, self._viewer())
        return bookings_pb2.GetBookingResponse(booking=messages.booking(found))

    async def ListOwnBookings(
        self, request: bookings_pb2.ListOwnBookingsRequest, _: Context
    ) -> bookings_pb2.ListOwnBookingsResponse:
        """See bookings.proto."""
        status = messages.status_name(request.status) if request.HasField("status") else None
        page = paging.parse(request.page_size, "", scope="")
        found, total = await self._bookings.list_own(
            self._viewer().user(), status, request.page or 1, page
        )
        return bookings_pb2.ListOwnBookingsResponse(
            bookings=map(messages.booking, found), total=total
        )

    async def GetBookingByReference(
        self, request: bookings_pb2.GetBookingByReferenceRequest, _: Context
    ) -> bookings_pb2.GetBookingByReferenceResponse:
        """See bookings.proto."""
        found = await self._bookings.get_by_reference(UUID(request.reference), self._viewer())
        return bookings_pb2.GetBookingByReferenceResponse(booking=messages.booking(found))

    async def CancelBookingByReference(
        self, request: bookings_pb2.CancelBookingByReferenceRequest, _: Context
    ) -> bookings_pb2.CancelBookingByReferenceResponse:
        """See bookings.proto."""
        return messages.cancel_response(
            await self._cancellations.cancel_by_reference(
                UUID(request.reference), self._viewer(), request.request_id
            )
        )

    async def ListTopUsers(
        self, request: bookings_pb2.ListTopUsersRequest, _: Context
    ) -> bookings_pb2.ListTopUsersResponse:
        """See bookings.proto."""
        users = await self._rankings.list_top_users(
            request.period, request.date, with_accounts=self._viewer().is_somebody
        )
        return bookings_pb2.ListTopUsersResponse(
            users=(
                bookings_pb2.TopUser(
                    place=user.place, user_id=user.user_id, bookings_count=user.bookings_count
                )
                for user in users
            )
        )

    def _admitted(
        self, item: bookings_pb2.BatchReserveItem, caller: Caller | Refusal
    ) -> Request | Refusal:
        """Puts an item through what the layers do for a call of its own."""
        if isinstance(caller, Refusal):
            return caller
        try:
            self._authenticator.admit(caller, RESERVE)
            if found := violations(item.request, has_account=caller.subject is not None):
                return ValidationFailed(violations=found)
            return _request(item.request, Viewer(caller, self._open_access))
        except Refusal as refusal:
            return refusal

    def _viewer(self) -> Viewer:
        return Viewer(context.caller.get(), self._open_access)


class InventoryServicer(inventory_pb2_grpc.InventoryServiceServicer):
    """Serves boxoffice.bookings.v1.InventoryService."""

    def __init__(
        self, inventory: Inventory, follower: Follower, cancellations: Cancellations
    ) -> None:
        self._inventory = inventory
        self._follower = follower
        self._cancellations = cancellations

    async def ApplyEvent(
        self, request: inventory_pb2.ApplyEventRequest, _: Context
    ) -> inventory_pb2.ApplyEventResponse:
        """See inventory.proto."""
        state = messages.event_state(request.state)
        await self._follower.expect(state.epoch)
        return messages.apply_response(await self._inventory.apply(state))

    async def CancelBooking(
        self, request: inventory_pb2.CancelBookingRequest, _: Context
    ) -> inventory_pb2.CancelBookingResponse:
        """See inventory.proto."""
        rev = await self._cancellations.cancel(request.booking_id)
        return inventory_pb2.CancelBookingResponse(inventory_revision=rev)


def _request(request: bookings_pb2.ReserveRequest, viewer: Viewer) -> Request:
    """Reads a reservation; raises ValidationFailed and PermissionDenied."""
    return Request(
        request.event_id,
        user_of(request, viewer),
        caller=viewer.key_owner,
        key=request.request_id or None,
        viewer=viewer,
    )


def _batch_reserve_response(outcomes: Sequence[Outcome]) -> bookings_pb2.BatchReserveResponse:
    response = bookings_pb2.BatchReserveResponse()
    statuses: dict[Refusal, status_pb2.Status] = {}
    for outcome in outcomes:
        result = response.results.add()
        if isinstance(outcome, Busy):
            result.busy = True
        elif isinstance(outcome, Refusal):
            # Items that are refused alike share their refusal.
            if outcome not in statuses:
                statuses[outcome] = status_of(outcome)
            result.error.CopyFrom(statuses[outcome])
        else:
            messages.write_reservation(booked(outcome), result.response)
    return response


def _availability_result(seats: Seats | Refusal) -> bookings_pb2.BatchGetAvailabilityResult:
    if isinstance(seats, Refusal):
        return bookings_pb2.BatchGetAvailabilityResult(error=status_of(seats))
    return bookings_pb2.BatchGetAvailabilityResult(response=messages.availability_response(seats))
