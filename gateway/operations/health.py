"""Whether the gateway lives, and whether it can reserve: /health, /ready and /metrics."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import orjson
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from gateway.http.messages import JSON_HEADERS, Request, Response
from gateway.http.metrics import SERVICE_UP
from gateway.http.routing import Route
from services.kit.concurrency.single_flight import SingleFlight

SERVING = health_pb2.HealthCheckResponse.SERVING
CHECK_SECONDS = 1.0
DATABASE = "database"


class Health:
    """Asks the processes behind a channel how they are."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        self._check = stub.Check

    async def is_serving(self, service: str) -> bool:
        """Tells whether one of them says so in time."""
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            response = await self._check(request, timeout=CHECK_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(response.status == SERVING)

    async def is_reachable(self) -> bool:
        """Returns whether a replica answers in time, even one that is stopping."""
        try:
            await self._check(health_pb2.HealthCheckRequest(), timeout=CHECK_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return True


class Readiness:
    """Asks bookings: without it, or its database, nothing can be reserved.

    Other services being down does not count, or every balancer would drop every gateway. Requests
    that come while bookings is being asked share that answer, so a crowd of them costs nothing.
    """

    def __init__(self, bookings: grpc.aio.Channel) -> None:
        self._bookings = Health(bookings)
        self._obstacle = SingleFlight(self._find_obstacle)

    async def __call__(self, _: Request) -> Response:
        """Answers /ready."""
        if reason := await self._obstacle("bookings"):
            body = orjson.dumps({"status": "not_ready", "reason": reason})
            return Response(503, JSON_HEADERS, body)
        return Response(200, JSON_HEADERS, b'{"status":"ready"}')

    async def _find_obstacle(self, service: str) -> str:
        """Returns what keeps bookings from working: the service itself, its database or nothing."""
        if not await self._bookings.is_reachable():
            return service
        return "" if await self._bookings.is_serving(DATABASE) else "db"


class Metrics:
    """Shows what was counted, and which services are down at the moment."""

    def __init__(self, services: Mapping[str, grpc.aio.Channel]) -> None:
        self._services = {name: Health(channel) for name, channel in services.items()}

    async def __call__(self, _: Request) -> Response:
        """Answers /metrics."""
        await asyncio.gather(*(self._look(name) for name in self._services))
        headers = ((b"content-type", CONTENT_TYPE_LATEST.encode()),)
        return Response(200, headers, generate_latest(REGISTRY))

    async def _look(self, name: str) -> None:
        SERVICE_UP.labels(name).set(await self._services[name].is_reachable())


async def alive(_: Request) -> Response:
    """Answers /health."""
    return Response(200, JSON_HEADERS, b'{"status":"ok"}')


def routes(services: Mapping[str, grpc.aio.Channel]) -> Sequence[Route]:
    """Lists the routes of operators and balancers, for the channels by the services' names."""
    return (
        Route("GET", "/health", alive, is_vital=True),
        Route("GET", "/ready", Readiness(services["bookings"]), is_vital=True),
        Route("GET", "/metrics", Metrics(services), media_type=b"text/plain", is_vital=True),
    )
