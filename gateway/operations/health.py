"""/health: the process runs. /ready: reservations are possible. /metrics: its metrics."""

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


class HealthClient:
    """Checks the health of the processes behind a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        self._check = stub.Check

    async def is_serving(self, service: str) -> bool:
        """Returns whether a replica reports a service as serving in time."""
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            response = await self._check(request, timeout=CHECK_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(response.status == SERVING)

    async def is_reachable(self) -> bool:
        """Returns whether a replica responds in time, even one that is stopping."""
        try:
            await self._check(health_pb2.HealthCheckRequest(), timeout=CHECK_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return True


class Readiness:
    """Checks bookings: without it, or its database, nothing can be reserved.

    Other services do not count: if one is down, every balancer would drop every gateway. Requests
    that arrive during a check share its result, so a crowd of them costs nothing.
    """

    def __init__(self, bookings: grpc.aio.Channel) -> None:
        self._bookings = HealthClient(bookings)
        self._obstacle = SingleFlight(self._find_obstacle)

    async def __call__(self, _: Request) -> Response:
        """Handles /ready."""
        if reason := await self._obstacle("bookings"):
            body = orjson.dumps({"status": "not_ready", "reason": reason})
            return Response(503, JSON_HEADERS, body)
        return Response(200, JSON_HEADERS, b'{"status":"ready"}')

    async def _find_obstacle(self, service: str) -> str:
        """Returns the reason why bookings cannot reserve: the service, its database, or none."""
        if not await self._bookings.is_reachable():
            return service
        return "" if await self._bookings.is_serving(DATABASE) else "db"


class Metrics:
    """Shows all metrics, among them which services are up at the moment."""

    def __init__(self, services: Mapping[str, grpc.aio.Channel]) -> None:
        self._services = {name: HealthClient(channel) for name, channel in services.items()}

    async def __call__(self, _: Request) -> Response:
        """Handles /metrics."""
        await asyncio.gather(*(self._update_up(name) for name in self._services))
        headers = ((b"content-type", CONTENT_TYPE_LATEST.encode()),)
        return Response(200, headers, generate_latest(REGISTRY))

    async def _update_up(self, name: str) -> None:
        SERVICE_UP.labels(name).set(await self._services[name].is_reachable())


async def health(_: Request) -> Response:
    """Handles /health."""
    return Response(200, JSON_HEADERS, b'{"status":"ok"}')


def routes(services: Mapping[str, grpc.aio.Channel]) -> Sequence[Route]:
    """Returns the routes for operators; `services` are channels by the names of services."""
    return (
        Route("GET", "/health", health, is_vital=True),
        Route("GET", "/ready", Readiness(services["bookings"]), is_vital=True),
        Route("GET", "/metrics", Metrics(services), media_type=b"text/plain", is_vital=True),
    )
