"""The RPCs of seats: maps, reservations, suggestions, and blocking."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import grpc
from google.api import httpbody_pb2
from google.protobuf.message import Message

from boxoffice.bookings.v1 import seats_pb2, seats_pb2_grpc
from services.bookings import asks
from services.bookings.access import Viewers
from services.bookings.asks import Decider
from services.bookings.catalogue.plans import Plans
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound, ScreeningNotFound
from services.bookings.inventory import Ask
from services.bookings.managing import ManagedBookings
from services.bookings.seats import map_messages, messages, reservations
from services.bookings.seats.reading import Screenings, visible
from services.bookings.seats.reservations import ReleaseRequest, SeatReservations
from services.bookings.seats.seat_maps import SeatMap, SeatMaps, Variant
from services.bookings.seats.suggestions import suggest
from services.kit.audit.log import AuditLog
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal
from services.kit.server.batch import Handler, Item, Outcome, answer_alone, handlers_of

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVICE = seats_pb2.DESCRIPTOR.services_by_name["SeatsService"]
JSON = "application/json"
GZIP = "gzip"


class SeatsServicer(seats_pb2_grpc.SeatsServiceServicer):
    """Serves boxoffice.bookings.v1.SeatsService."""

    def __init__(
        self,
        pool: Pool,
        decider: Decider,
        catalogue: Catalogue,
        plans: Plans,
        *,
        open_access: bool,
    ) -> None:
        self._screenings = Screenings(pool, catalogue)
        self._plans = plans
        self._reservations = SeatReservations(pool)
        self._managed = ManagedBookings(
            AuditLog(pool), decider, SERVICE, booking="reservation.booking_id"
        )
        self._maps = SeatMaps(self._screenings, plans)
        self._viewers = Viewers(open_access)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of the methods whose requests share batches."""
        return handlers_of(
            SERVICE,
            HoldSeats=self._hold,
            ReleaseSeats=self._release,
            ReleaseUserSeats=self._release_user,
            RenderFreeSeats=self._render_free_seats,
            RenderSeatMap=self._render_seat_map,
        )

    async def HoldSeats(
        self, request: seats_pb2.HoldSeatsRequest, _: Context
    ) -> seats_pb2.HoldSeatsResponse:
        """See seats.proto."""
        return await answer_alone(self._hold, request, seats_pb2.HoldSeatsResponse)

    async def ReleaseSeats(
        self, request: seats_pb2.ReleaseSeatsRequest, _: Context
    ) -> seats_pb2.ReleaseSeatsResponse:
        """See seats.proto."""
        return await answer_alone(self._release, request, seats_pb2.ReleaseSeatsResponse)

    async def ReleaseUserSeats(
        self, request: seats_pb2.ReleaseUserSeatsRequest, _: Context
    ) -> seats_pb2.ReleaseUserSeatsResponse:
        """See seats.proto."""
        return await answer_alone(self._release_user, request, seats_pb2.ReleaseUserSeatsResponse)

    async def GetSeatReservation(
        self, request: seats_pb2.GetSeatReservationRequest, _: Context
    ) -> seats_pb2.GetSeatReservationResponse:
        """See seats.proto."""
        reference = UUID(request.reservation_id)
        return messages.get_response(
            await self._reservations.get(reference, self._viewers.current())
        )

    async def RenderFreeSeats(
        self, request: seats_pb2.RenderFreeSeatsRequest, _: Context
    ) -> seats_pb2.RenderFreeSeatsResponse:
        """See seats.proto."""
        response = seats_pb2.RenderFreeSeatsResponse
        return await answer_alone(self._render_free_seats, request, response)

    async def RenderSeatMap(
        self, request: seats_pb2.RenderSeatMapRequest, _: Context
    ) -> seats_pb2.RenderSeatMapResponse:
        """See seats.proto."""
        response = seats_pb2.RenderSeatMapResponse
        return await answer_alone(self._render_seat_map, request, response)

    async def GetSeatMap(
        self, request: seats_pb2.GetSeatMapRequest, _: Context
    ) -> seats_pb2.GetSeatMapResponse:
        """See seats.proto."""
        await self._screenings.find(request.screening_id, self._viewers.current())
        occupancy = await self._screenings.occupancy(request.screening_id)
        plan = await self._plans.load(occupancy.screening.plan_id)
        return await asyncio.to_thread(map_messages.map_response, plan, occupancy)

    async def SuggestSeats(
        self, request: seats_pb2.SuggestSeatsRequest, _: Context
    ) -> seats_pb2.SuggestSeatsResponse:
        """See seats.proto."""
        await self._screenings.find(request.screening_id, self._viewers.current())
        occupancy = await self._screenings.occupancy(request.screening_id)
        plan = await self._plans.load(occupancy.screening.plan_id)
        count = request.count if request.HasField("count") else len(request.seat_ids)
        found = suggest(
            plan,
            occupancy,
            request.seat_ids,
            count,
            together=request.prefer_pairs or not request.HasField("prefer_pairs"),
        )
        return map_messages.suggest_response(plan, occupancy.screening, found)

    async def SetBlockedSeats(
        self, request: seats_pb2.SetBlockedSeatsRequest, _: Context
    ) -> seats_pb2.SetBlockedSeatsResponse:
        """See seats.proto."""
        return await answer_alone(self._block, request, seats_pb2.SetBlockedSeatsResponse)

    async def _hold(
        self, items: Sequence[Item[seats_pb2.HoldSeatsRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = asks.read_each(items, self._holding)
        return await self._answer(items, asked, seats_pb2.HoldSeatsResponse, skip_busy=skip_busy)

    async def _release(
        self, items: Sequence[Item[seats_pb2.ReleaseSeatsRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = await self._reservations.releases_of([self._releasing(item) for item in items])
        response = seats_pb2.ReleaseSeatsResponse
        return await self._answer(items, asked, response, skip_busy=skip_busy)

    async def _release_user(
        self, items: Sequence[Item[seats_pb2.ReleaseUserSeatsRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = asks.read_each(items, self._releasing_user)
        response = seats_pb2.ReleaseUserSeatsResponse
        return await self._answer(items, asked, response, skip_busy=skip_busy)

    async def _block(
        self, items: Sequence[Item[seats_pb2.SetBlockedSeatsRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = [await self._blocking(item) for item in items]
        response = seats_pb2.SetBlockedSeatsResponse
        return await self._answer(items, asked, response, skip_busy=skip_busy)

    async def _answer(
        self,
        items: Sequence[Item[Any]],
        asked: Sequence[Ask | Refusal],
        response: type[Message],
        *,
        skip_busy: bool,
    ) -> Sequence[Outcome]:
        return _of_screenings(
            await self._managed.answer(items, asked, response, skip_busy=skip_busy)
        )

    async def _render_free_seats(
        self, items: Sequence[Item[seats_pb2.RenderFreeSeatsRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        """Renders the free seats of each item. Reads wait for no lock, whatever `skip_busy` is."""
        variants = [Variant.FREE] * len(items)
        return await self._render(items, variants, seats_pb2.RenderFreeSeatsResponse)

    async def _render_seat_map(
        self, items: Sequence[Item[seats_pb2.RenderSeatMapRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        """Renders the map of each item. Reads wait for no lock, whatever `skip_busy` is."""
        variants = [Variant.SPARSE if item.request.sparse else Variant.WHOLE for item in items]
        return await self._render(items, variants, seats_pb2.RenderSeatMapResponse)

    async def _render(
        self, items: Sequence[Item[Any]], variants: Sequence[Variant], response: type[Message]
    ) -> Sequence[Outcome]:
        found = await self._screenings.find_all({item.request.screening_id for item in items})

        async def render(item: Item[Any], variant: Variant) -> Outcome:
            request, viewer = item.request, self._viewers.of(item.caller)
            try:
                seat_map = await self._maps.get(
                    visible(found[request.screening_id], viewer),
                    variant,
                    accepts_gzip=request.accepts_gzip,
                    if_none_match=request.if_none_match,
                )
            except Refusal as refusal:
                return refusal
            return response(**_rendered(seat_map))

        return await asyncio.gather(*map(render, items, variants))

    def _holding(self, item: Item[seats_pb2.HoldSeatsRequest]) -> Ask:
        viewer = self._viewers.of(item.caller)
        command = messages.hold(item.request, viewer.user(item.request.user_id), viewer)
        return reservations.hold(command, viewer, item.request.request_id)

    def _releasing(self, item: Item[seats_pb2.ReleaseSeatsRequest]) -> ReleaseRequest:
        request = item.request
        return ReleaseRequest(
            UUID(request.reservation_id), self._viewers.of(item.caller), request.request_id
        )

    def _releasing_user(self, item: Item[seats_pb2.ReleaseUserSeatsRequest]) -> Ask:
        request, viewer = item.request, self._viewers.of(item.caller)
        user_id = viewer.user(request.user_id)
        return reservations.release_user(request.screening_id, user_id, viewer, request.request_id)

    async def _blocking(self, item: Item[seats_pb2.SetBlockedSeatsRequest]) -> Ask:
        """Makes an ask to block seats; raises a refusal if the caller does not own the event."""
        request, viewer = item.request, self._viewers.of(item.caller)
        screening = await self._screenings.find(request.screening_id, viewer)
        viewer.expect_to_change_event(screening.organizer_id)
        return reservations.block(
            request.screening_id, request.seat_ids, viewer, request.request_id
        )


def _rendered(found: SeatMap) -> dict[str, Any]:
    """Returns the fields that all responses with rendered maps have in common."""
    return {
        "body": httpbody_pb2.HttpBody(content_type=JSON, data=found.body or b""),
        "entity_tag": found.version.tag,
        "content_encoding": GZIP if found.is_gzip else "",
        "inventory_revision": found.version.rev,
        "not_modified": found.body is None,
    }


def _of_screenings(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Names events as screenings in refusals."""
    return [
        ScreeningNotFound() if isinstance(outcome, EventNotFound) else outcome
        for outcome in outcomes
    ]
