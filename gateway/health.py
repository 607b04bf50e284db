"""Whether the gateway lives, and whether it can reserve: /health, /ready and /metrics."""

from collections.abc import Sequence
from typing import Any

import grpc
import orjson
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from gateway.exchange import JSON_HEADERS, Answer, Request
from gateway.routing import Route

SERVING = health_pb2.HealthCheckResponse.SERVING
CHECK_SECONDS = 1.0
WHOLE_SERVICE = ""
DATABASE = "database"


class Readiness:
    """Asks bookings: without it, or its database, nothing can be reserved.

    Other services being down does not count, or every balancer would drop every gateway.
    """

    def __init__(self, bookings: grpc.aio.Channel) -> None:
        stub: Any = health_pb2_grpc.HealthStub(bookings)
        self._check = stub.Check

    async def __call__(self, _: Request) -> Answer:
        """Answers /ready."""
        reason = await self._obstacle()
        if reason:
            body = orjson.dumps({"status": "not_ready", "reason": reason})
            return Answer(503, JSON_HEADERS, body)
        return Answer(200, JSON_HEADERS, b'{"status":"ready"}')

    async def _obstacle(self) -> str:
        if not await self._is_serving(WHOLE_SERVICE):
            return "bookings"
        return "" if await self._is_serving(DATABASE) else "db"

    async def _is_serving(self, service: str) -> bool:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            response = await self._check(request, timeout=CHECK_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(response.status == SERVING)


async def alive(_: Request) -> Answer:
    """Answers /health."""
    return Answer(200, JSON_HEADERS, b'{"status":"ok"}')


async def metrics(_: Request) -> Answer:
    """Answers /metrics."""
    headers = ((b"content-type", CONTENT_TYPE_LATEST.encode()),)
    return Answer(200, headers, generate_latest(REGISTRY))


def routes(bookings: grpc.aio.Channel) -> Sequence[Route]:
    """Lists the routes of operators and balancers."""
    return (
        Route("GET", "/health", alive),
        Route("GET", "/ready", Readiness(bookings)),
        Route("GET", "/metrics", metrics, media_type=b"text/plain"),
    )
