"""The RPCs of bookings by number and reference, of free seats, and of the top users."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc
from services.bookings import asks
from services.bookings.access import Viewers, normalised
from services.bookings.catalogue.availability import Availability
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Ask, Inventory
from services.bookings.managing import ManagedBookings
from services.bookings.rankings.rankings import Rankings
from services.bookings.reservations import messages, reservations
from services.bookings.reservations.cancellations import Cancellation, Cancellations
from services.bookings.reservations.reading import Bookings
from services.bookings.reservations.reservations import Reservations
from services.kit.audit.log import AuditLog
from services.kit.database.postgres import Pool
from services.kit.rpc import paging
from services.kit.rpc.errors import Refusal, ValidationFailed
from services.kit.rpc.validation import violations
from services.kit.server.batch import Handler, Item, Outcome, answer_alone, handlers_of

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVICE = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"]


class BookingsServicer(bookings_pb2_grpc.BookingsServiceServicer):
    """Serves boxoffice.bookings.v1.BookingsService."""

    def __init__(
        self,
        pool: Pool,
        inventory: Inventory,
        catalogue: Catalogue,
        rankings: Rankings,
        *,
        open_access: bool,
    ) -> None:
        self._reservations = Reservations(inventory, catalogue)
        self._cancellations = Cancellations(pool, inventory)
        self._managed = ManagedBookings(
            AuditLog(pool), self._reservations, SERVICE, booking="reservation.booking_id"
        )
        self._availability = Availability(inventory, catalogue)
        self._bookings = Bookings(pool, self._availability)
        self._rankings = rankings
        self._viewers = Viewers(open_access)

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

    async def CancelBookingByReference(
        self, request: bookings_pb2.CancelBookingByReferenceRequest, _: Context
    ) -> bookings_pb2.CancelBookingByReferenceResponse:
        """See bookings.proto."""
        response = bookings_pb2.CancelBookingByReferenceResponse
        return await answer_alone(self._cancel, request, response)

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
        counted = results | await self._availability.count(valid, self._viewers.current())
        return bookings_pb2.BatchGetAvailabilityResponse(
            results=[messages.availability_result(counted[item.event_id]) for item in request.items]
        )

    async def ListBookings(
        self, request: bookings_pb2.ListBookingsRequest, _: Context
    ) -> bookings_pb2.ListBookingsResponse:
        """See bookings.proto."""
        page = paging.parse(request.page_size, request.page_token, scope="bookings")
        found, token = paging.cut(
            await self._bookings.list_all(page, self._viewers.current()), page
        )
        return bookings_pb2.ListBookingsResponse(
            bookings=map(messages.details, found), next_page_token=token
        )

    async def ListUserBookings(
        self, request: bookings_pb2.ListUserBookingsRequest, _: Context
    ) -> bookings_pb2.ListUserBookingsResponse:
        """See bookings.proto."""
        user_id = normalised(request.user_id)
        page = paging.parse(request.page_size, request.page_token, scope=f"user {user_id}")
        listed = await self._bookings.list_of_user(user_id, page, self._viewers.current())
        found, token = paging.cut(listed, page)
        return bookings_pb2.ListUserBookingsResponse(
            bookings=map(messages.details, found), next_page_token=token
        )

    async def ListEventBookings(
        self, request: bookings_pb2.ListEventBookingsRequest, _: Context
    ) -> bookings_pb2.ListEventBookingsResponse:
        """See bookings.proto."""
        page = paging.parse(
            request.page_size, request.page_token, scope=f"event {request.event_id}"
        )
        listed = await self._bookings.list_of_event(request.event_id, page, self._viewers.current())
        found, token = paging.cut(listed, page)
        return bookings_pb2.ListEventBookingsResponse(
            bookings=map(messages.details, found), next_page_token=token
        )

    async def ListOwnBookings(
        self, request: bookings_pb2.ListOwnBookingsRequest, _: Context
    ) -> bookings_pb2.ListOwnBookingsResponse:
        """See bookings.proto."""
        status = messages.status_name(request.status) if request.HasField("status") else None
        page = paging.parse(request.page_size, "", scope="")
        found, total = await self._bookings.list_own(
            self._viewers.current().user(), status, request.page or 1, page
        )
        return bookings_pb2.ListOwnBookingsResponse(
            bookings=map(messages.details, found), total=total
        )

    async def GetBooking(
        self, request: bookings_pb2.GetBookingRequest, _: Context
    ) -> bookings_pb2.GetBookingResponse:
        """See bookings.proto."""
        found = await self._bookings.get(request.booking_id, self._viewers.current())
        return bookings_pb2.GetBookingResponse(booking=messages.details(found))

    async def GetBookingByReference(
        self, request: bookings_pb2.GetBookingByReferenceRequest, _: Context
    ) -> bookings_pb2.GetBookingByReferenceResponse:
        """See bookings.proto."""
        reference = UUID(request.reference)
        found = await self._bookings.get_by_reference(reference, self._viewers.current())
        return bookings_pb2.GetBookingByReferenceResponse(booking=messages.details(found))

    async def ListTopUsers(
        self, request: bookings_pb2.ListTopUsersRequest, _: Context
    ) -> bookings_pb2.ListTopUsersResponse:
        """See bookings.proto."""
        users = await self._rankings.list_top_users(
            request.period, request.date, with_accounts=self._viewers.current().is_somebody
        )
        return bookings_pb2.ListTopUsersResponse(users=map(messages.top_user, users))

    async def _reserve(
        self, items: Sequence[Item[bookings_pb2.ReserveRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = asks.read_each(items, self._reservation)
        response = bookings_pb2.ReserveResponse
        return await self._managed.answer(items, asked, response, skip_busy=skip_busy)

    async def _create(
        self, items: Sequence[Item[bookings_pb2.CreateBookingRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = asks.read_each(items, self._creation)
        response = bookings_pb2.CreateBookingResponse
        return await asks.answer(self._reservations, asked, response, skip_busy=skip_busy)

    async def _cancel(
        self,
        items: Sequence[Item[bookings_pb2.CancelBookingByReferenceRequest]],
        /,
        *,
        skip_busy: bool,
    ) -> Sequence[Outcome]:
        asked = await self._cancellations.asks_of([self._cancellation(item) for item in items])
        response = bookings_pb2.CancelBookingByReferenceResponse
        return await self._managed.answer(items, asked, response, skip_busy=skip_busy)

    async def _count(
        self, items: Sequence[Item[bookings_pb2.GetAvailabilityRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        """Counts seats, which waits for no lock."""
        del skip_busy
        counted = await self._availability.count_each(
            [(item.request.event_id, self._viewers.of(item.caller)) for item in items]
        )
        return [
            seats if isinstance(seats, Refusal) else messages.availability_response(seats)
            for seats in counted
        ]

    def _reservation(self, item: Item[bookings_pb2.ReserveRequest]) -> Ask:
        request, viewer = item.request, self._viewers.of(item.caller)
        user_id = viewer.user(request.user_id)
        return reservations.reserve(
            request.event_id, user_id, viewer, request.request_id, request.queue_token
        )

    def _creation(self, item: Item[bookings_pb2.CreateBookingRequest]) -> Ask:
        request, viewer = item.request, self._viewers.of(item.caller)
        return reservations.create(
            request.event_id, viewer.user(), request.seat_count, viewer, request.request_id
        )

    def _cancellation(
        self, item: Item[bookings_pb2.CancelBookingByReferenceRequest]
    ) -> Cancellation:
        request = item.request
        return Cancellation(
            UUID(request.reference), self._viewers.of(item.caller), request.request_id
        )
