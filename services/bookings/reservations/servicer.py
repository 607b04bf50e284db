"""The RPCs of bookings: each method reads its request, asks one noun, and writes its response."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc, inventory_pb2, inventory_pb2_grpc
from services.bookings.access import Viewer, normalised, user_of
from services.bookings.catalogue.following import Follower
from services.bookings.inventory import Ask, Inventory, Seats
from services.bookings.rankings.rankings import Rankings
from services.bookings.reservations import messages, reservations, responses
from services.bookings.reservations.availability import Availability
from services.bookings.reservations.cancellations import Cancellation, Cancellations
from services.bookings.reservations.reading import Bookings
from services.bookings.reservations.reservations import Reservations
from services.kit.rpc import context, paging
from services.kit.rpc.errors import Refusal, ValidationFailed, status_of
from services.kit.rpc.validation import violations
from services.kit.server.batch import (
    Handler,
    Item,
    Outcome,
    answer_alone,
    decide_admitted,
    handlers_of,
)

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVICE = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"]


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
        open_access: bool,
    ) -> None:
        self._reservations = reservations
        self._availability = availability
        self._bookings = bookings
        self._cancellations = cancellations
        self._rankings = rankings
        self._open_access = open_access

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of the methods whose requests share batches."""
        return handlers_of(
            SERVICE,
            Reserve=self._reserve,
            CreateBooking=self._create,
            GetAvailability=self._count,
            CancelBookingByReference=self._cancel,
        )

    async def Reserve(
        self, request: bookings_pb2.ReserveRequest, _: Context
    ) -> bookings_pb2.ReserveResponse:
        """See bookings.proto."""
        return await answer_alone(self._reserve, request, bookings_pb2.ReserveResponse)

    async def CreateBooking(
        self, request: bookings_pb2.CreateBookingRequest, _: Context
    ) -> bookings_pb2.CreateBookingResponse:
        """See bookings.proto."""
        return await answer_alone(self._create, request, bookings_pb2.CreateBookingResponse)

    async def GetAvailability(
        self, request: bookings_pb2.GetAvailabilityRequest, _: Context
    ) -> bookings_pb2.GetAvailabilityResponse:
        """See bookings.proto."""
        return await answer_alone(self._count, request, bookings_pb2.GetAvailabilityResponse)

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
        response = bookings_pb2.CancelBookingByReferenceResponse
        return await answer_alone(self._cancel, request, response)

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

    async def _reserve(
        self, items: Sequence[Item[bookings_pb2.ReserveRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asks = [_reservation(item.request, self._viewer_of(item)) for item in items]
        decide = partial(self._reservations.decide, skip_busy=skip_busy)
        outcomes = await decide_admitted(asks, decide)
        return responses.responded(asks, outcomes, bookings_pb2.ReserveResponse)

    async def _create(
        self, items: Sequence[Item[bookings_pb2.CreateBookingRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asks = [_creation(item.request, self._viewer_of(item)) for item in items]
        decide = partial(self._reservations.decide, skip_busy=skip_busy)
        outcomes = await decide_admitted(asks, decide)
        return responses.responded(asks, outcomes, bookings_pb2.CreateBookingResponse)

    async def _count(
        self, items: Sequence[Item[bookings_pb2.GetAvailabilityRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        """Counts seats, which waits for no lock."""
        del skip_busy
        counted = await self._availability.count_each(
            [(item.request.event_id, self._viewer_of(item)) for item in items]
        )
        return [
            seats if isinstance(seats, Refusal) else messages.availability_response(seats)
            for seats in counted
        ]

    async def _cancel(
        self,
        items: Sequence[Item[bookings_pb2.CancelBookingByReferenceRequest]],
        /,
        *,
        skip_busy: bool,
    ) -> Sequence[Outcome]:
        asked = [
            Cancellation(
                UUID(item.request.reference), self._viewer_of(item), item.request.request_id
            )
            for item in items
        ]
        return await self._cancellations.cancel_all(asked, skip_busy=skip_busy)

    def _viewer_of(self, item: Item[Any]) -> Viewer:
        return Viewer(item.caller, self._open_access)

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
        return responses.apply_response(await self._inventory.apply(state))

    async def CancelBooking(
        self, request: inventory_pb2.CancelBookingRequest, _: Context
    ) -> inventory_pb2.CancelBookingResponse:
        """See inventory.proto."""
        rev = await self._cancellations.cancel(request.booking_id)
        return inventory_pb2.CancelBookingResponse(inventory_revision=rev)


def _reservation(request: bookings_pb2.ReserveRequest, viewer: Viewer) -> Ask | Refusal:
    """Reads a reservation, or returns why it is not the viewer's to make."""
    try:
        user_id = user_of(request, viewer)
    except Refusal as refusal:
        return refusal
    return reservations.reserve(request.event_id, user_id, viewer, request.request_id)


def _creation(request: bookings_pb2.CreateBookingRequest, viewer: Viewer) -> Ask | Refusal:
    """Reads a booking of several seats, or returns why it is not the viewer's to make."""
    try:
        user_id = viewer.user()
    except Refusal as refusal:
        return refusal
    return reservations.create(
        request.event_id, user_id, request.seat_count, viewer, request.request_id
    )


def _availability_result(seats: Seats | Refusal) -> bookings_pb2.BatchGetAvailabilityResult:
    if isinstance(seats, Refusal):
        return bookings_pb2.BatchGetAvailabilityResult(error=status_of(seats))
    return bookings_pb2.BatchGetAvailabilityResult(response=messages.availability_response(seats))
