"""What balancers and operators ask."""

import asyncio
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from gateway.operations.health import Readiness
from tests.gateway import messages
from tests.gateway.conftest import run_gateway
from tests.gateway.requests import request
from tests.gateway.script import SERVING, Script, ScriptedServer

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
BOOKINGS = "boxoffice.bookings.v1.BookingsService"


@pytest.mark.asyncio(loop_scope="module")
async def test_health_is_exact(client: httpx.AsyncClient, script: Script) -> None:
    """A service that is down would make balancers restart the gateway."""
    answer = await client.get("/health")
    assert (answer.status_code, answer.content) == (200, b'{"status":"ok"}')


@pytest.mark.asyncio(loop_scope="module")
async def test_readiness_needs_bookings_and_its_database(
    client: httpx.AsyncClient, server: ScriptedServer, script: Script
) -> None:
    """A gateway whose reservations all fail would get requests."""
    answers = [await client.get("/ready")]
    await server.health.set("database", NOT_SERVING)
    answers.append(await client.get("/ready"))
    await server.health.set("database", SERVING)
    answers.append(await client.get("/ready"))
    assert [(answer.status_code, answer.content) for answer in answers] == [
        (200, b'{"status":"ready"}'),
        (503, b'{"status":"not_ready","reason":"db"}'),
        (200, b'{"status":"ready"}'),
    ]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_stopping_replica_leaves_the_gateway_ready(
    client: httpx.AsyncClient, server: ScriptedServer, script: Script
) -> None:
    """Balancers would take out every gateway while one replica restarts."""
    await server.health.set("", NOT_SERVING)
    ready, metrics = await client.get("/ready"), await client.get("/metrics")
    await server.health.set("", SERVING)
    assert ready.status_code == 200
    assert 'boxoffice_service_up{service="bookings"} 1.0' in metrics.text


async def test_unreachable_bookings_are_not_ready(unused_tcp_port: int) -> None:
    """A gateway without bookings would get requests, or hang at /ready."""
    async with (
        run_gateway(f"127.0.0.1:{unused_tcp_port}") as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
        asyncio.timeout(1),
    ):
        answer = await client.get("/ready")
    assert (answer.status_code, answer.json()["reason"]) == (503, "bookings")


async def test_metrics_tell_which_service_is_down(unused_tcp_port: int) -> None:
    """Nobody would notice a service that reservations do not need."""
    server = ScriptedServer(Script())
    target = await server.start()
    nowhere = f"127.0.0.1:{unused_tcp_port}"
    async with (
        run_gateway(target, accounts_target=nowhere) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        ready, answer = await client.get("/ready"), await client.get("/metrics")
    await server.stop()
    assert ready.status_code == 200
    assert 'boxoffice_service_up{service="accounts"} 0.0' in answer.text
    assert 'boxoffice_service_up{service="events"} 1.0' in answer.text


@pytest.mark.asyncio(loop_scope="module")
async def test_metrics_have_no_label_that_a_client_chooses(
    client: httpx.AsyncClient, script: Script
) -> None:
    """Clients could fill the memory with labels of their own."""
    script.answers["Reserve"] = messages.reserved
    await client.post("/api/bookings/reserve", json={"event_id": 5, "user_id": "alice"})
    await client.get("/events/0")
    await client.get("/some-chosen-path")
    await client.request("QUERY", "/another-chosen-path")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counted = [
        line.partition("} ")[0]
        for line in answer.text.splitlines()
        if line.startswith("boxoffice_http_requests_total{")
    ]
    prefix = "boxoffice_http_requests_total{"
    assert f'{prefix}method="POST",route="/api/bookings/reserve",status="201"' in counted
    assert f'{prefix}method="GET",route="/events/{{event_id}}",status="422"' in counted
    assert f'{prefix}method="GET",route="unmatched",status="404"' in counted
    assert f'{prefix}method="other",route="unmatched",status="404"' in counted
    assert "chosen" not in answer.text


class SlowHealth(HealthServicer):
    """Health that responds once the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.arrived, self.gate = asyncio.Event(), asyncio.Event()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the library names it
        """See HealthServicer."""
        self.asked += 1
        self.arrived.set()
        await self.gate.wait()
        return await super().Check(request, context)


async def test_concurrent_checks_share_one_call() -> None:
    """A crowd that begins with /ready would overload bookings."""
    health, server = SlowHealth(), grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for name in ("", "database"):
        await health.set(name, SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        readiness = Readiness(channel)
        asking = [asyncio.create_task(readiness(request("GET", "/ready"))) for _ in range(9)]
        await health.arrived.wait()
        health.gate.set()
        assert {answer.status for answer in await asyncio.gather(*asking)} == {200}
        assert health.asked == 2
        assert (await readiness(request("GET", "/ready"))).status == 200
        assert health.asked == 4
    await server.stop(0)
