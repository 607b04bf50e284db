"""Serves bookings beside a fake catalogue, and calls it over gRPC."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from boxoffice.bookings.v1 import (
    bookings_pb2,
    bookings_pb2_grpc,
    inventory_pb2,
    inventory_pb2_grpc,
    live_pb2_grpc,
    payments_pb2_grpc,
    reports_pb2_grpc,
    seats_pb2_grpc,
    tickets_pb2_grpc,
    waiting_list_pb2_grpc,
)
from boxoffice.events.v1 import catalogue_pb2, catalogue_pb2_grpc, events_pb2, seat_plans_pb2
from boxoffice.rest.v1 import batch_pb2_grpc
from services.bookings.__main__ import serving
from services.bookings.errors import EventNotFound
from services.bookings.settings import Settings
from services.kit.rpc.errors import Refusal, Unavailable, abort, refusal_from_call
from services.kit.server.server import DATABASE
from tests import citus
from tests.conftest import Database
from tests.services.conditions import until

KEY = "services-secret"
SERVICE = (("authorization", f"Service {KEY}"),)
EPOCH = "epoch"
Context = grpc.aio.ServicerContext[Any, Any]


class FakeCatalogue(catalogue_pb2_grpc.CatalogueServiceServicer):
    """A server of events with the states that a test has put there."""

    def __init__(self) -> None:
        self.states: dict[int, catalogue_pb2.EventState] = {}
        self.plans: dict[int, seat_plans_pb2.SeatPlan] = {}
        self.places: dict[int, catalogue_pb2.EventPlace] = {}
        self.authorizations: set[str] = set()

    def put(self, event_id: int, total_seats: int = 50, **changes: Any) -> catalogue_pb2.EventState:
        """Puts an event on sale, unless the changes say otherwise."""
        values: dict[str, Any] = {
            "revision": 1,
            "name": "Concert",
            "epoch": EPOCH,
            "status": events_pb2.EVENT_STATUS_PUBLISHED,
        }
        values |= changes
        state = catalogue_pb2.EventState(event_id=event_id, total_seats=total_seats, **values)
        self.states[event_id] = state
        return state

    async def GetEventState(  # noqa: N802
        self, request: catalogue_pb2.GetEventStateRequest, context: Context
    ) -> catalogue_pb2.GetEventStateResponse:
        """Returns a state, or refuses as events does."""
        metadata = dict(context.invocation_metadata() or ())
        self.authorizations.add(str(metadata.get("authorization")))
        if request.event_id not in self.states:
            await abort(context, EventNotFound())
        return catalogue_pb2.GetEventStateResponse(state=self.states[request.event_id])

    async def GetEventPlace(  # noqa: N802
        self, request: catalogue_pb2.GetEventPlaceRequest, context: Context
    ) -> catalogue_pb2.GetEventPlaceResponse:
        """Returns a place that a test has put there; refuses without one, as if events was down."""
        if request.event_id not in self.places:
            await abort(context, Unavailable())
        return catalogue_pb2.GetEventPlaceResponse(place=self.places[request.event_id])

    async def ListChanges(  # noqa: N802
        self, request: catalogue_pb2.ListChangesRequest, context: Context
    ) -> catalogue_pb2.ListChangesResponse:
        """Returns no changes."""
        return catalogue_pb2.ListChangesResponse(epoch=EPOCH)

    async def ListEventStates(  # noqa: N802
        self, request: catalogue_pb2.ListEventStatesRequest, context: Context
    ) -> catalogue_pb2.ListEventStatesResponse:
        """Returns no states, so that bookings reads each event on demand."""
        return catalogue_pb2.ListEventStatesResponse(epoch=EPOCH)

    async def GetSeatPlan(  # noqa: N802
        self, request: catalogue_pb2.GetSeatPlanRequest, context: Context
    ) -> catalogue_pb2.GetSeatPlanResponse:
        """Returns a plan that a test has put there; refuses without one, as if events was down."""
        if request.plan_id not in self.plans:
            await abort(context, Unavailable())
        return catalogue_pb2.GetSeatPlanResponse(plan=self.plans[request.plan_id])


@dataclass
class Running:
    """Bookings as its own process would serve it, with stubs of its services."""

    bookings: Any
    batches: Any
    inventory: Any
    waiting_list: Any
    seats: Any
    tickets: Any
    live: Any
    payments: Any
    reports: Any
    catalogue: FakeCatalogue

    async def reserve(self, event_id: int = 1, user_id: str = "ada", key: str = "") -> Any:
        """Reserves a seat."""
        return await self.bookings.Reserve(
            bookings_pb2.ReserveRequest(event_id=event_id, user_id=user_id, request_id=key)
        )

    async def apply(self, state: catalogue_pb2.EventState) -> Any:
        """Applies a state as events does."""
        request = inventory_pb2.ApplyEventRequest(state=state)
        return await self.inventory.ApplyEvent(request, metadata=SERVICE)


def settings(
    database: Database, events_target: str, *, open_access: bool = True, **changes: Any
) -> Settings:
    """Makes settings for bookings."""
    values: dict[str, Any] = {
        "database_url": database.bookings_dsn,
        "listen": "127.0.0.1:0",
        "events_target": events_target,
        "BOXOFFICE_SERVICE_KEY": KEY,
        "BOXOFFICE_OPEN_ACCESS": open_access,
        "payment_providers": ("sandbox",),
        "distributed": bool(citus.URL),
    }
    return Settings(**(values | changes))


@contextlib.asynccontextmanager
async def catalogue_serving() -> AsyncIterator[tuple[FakeCatalogue, str]]:
    """Serves a fake catalogue; yields it and its address."""
    catalogue, server = FakeCatalogue(), grpc.aio.server()
    catalogue_pb2_grpc.add_CatalogueServiceServicer_to_server(catalogue, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield catalogue, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def called_over(channel: grpc.aio.Channel, catalogue: FakeCatalogue) -> Running:
    """Makes stubs over a channel to bookings."""
    return Running(
        bookings_pb2_grpc.BookingsServiceStub(channel),
        batch_pb2_grpc.BatchServiceStub(channel),
        inventory_pb2_grpc.InventoryServiceStub(channel),
        waiting_list_pb2_grpc.WaitingListServiceStub(channel),
        seats_pb2_grpc.SeatsServiceStub(channel),
        tickets_pb2_grpc.TicketsServiceStub(channel),
        live_pb2_grpc.LiveServiceStub(channel),
        payments_pb2_grpc.PaymentsServiceStub(channel),
        reports_pb2_grpc.ReportsServiceStub(channel),
        catalogue,
    )


@contextlib.asynccontextmanager
async def bookings_serving(
    database: Database, *, is_reachable: bool = True, **changes: Any
) -> AsyncIterator[Running]:
    """Serves bookings beside a fake catalogue; waits until the database is reachable, if it is."""
    async with (
        catalogue_serving() as (catalogue, target),
        serving(settings(database, target, **changes)) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        if is_reachable:
            await until(lambda: _is_healthy(channel, DATABASE))
        yield called_over(channel, catalogue)


async def _is_healthy(channel: grpc.aio.Channel, service: str) -> bool:
    health: Any = health_pb2_grpc.HealthStub(channel)
    service = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"].full_name
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
    except grpc.aio.AioRpcError:  # the first check is still to come
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def refused(call: Any) -> Refusal:
    """Awaits a call that must be refused; returns the refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    refusal = refusal_from_call(failure.value)
    assert refusal is not None, failure.value
    return refusal
