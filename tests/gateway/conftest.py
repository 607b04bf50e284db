"""The gateway on a real port, in front of a gRPC server whose answers each test writes."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from gateway.admission.counters import open_counters
from gateway.http.app import App
from gateway.http.server.limits import LIMITS, Limits
from gateway.http.server.listening import listen
from gateway.http.server.server import Server, serving
from gateway.live.hub import Hub, open_hub
from gateway.live.pace import PACE, Pace
from gateway.settings import Settings
from gateway.sockets.routes import Sockets
from gateway.wiring.application import application
from gateway.wiring.channels import credentials, open_channels
from gateway.wiring.live import live_sources, socket_io
from services.kit.rpc.spans import Spans
from tests.gateway.script import Script, ScriptedServer

SCRIPTED = {"batch_size": 1, "log_sample": 0, "open_access": True}
"""Each request is an RPC of its own, so that a script sees it as the client sent it."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway: where it listens, and its parts."""

    port: int
    app: App
    hub: Hub
    server: Server
    sockets: Sockets

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def run_gateway(
    target: str,
    limits: Limits = LIMITS,
    pace: Pace = PACE,
    spans: Spans | None = None,
    /,
    **named: object,
) -> AsyncIterator[Gateway]:
    """Runs a gateway in front of one gRPC target for every service."""
    targets = {f"{name}_target": target for name in ("accounts", "events", "bookings")}
    values = {
        str(Settings.model_fields[name].validation_alias or name): value
        for name, value in (targets | SCRIPTED | named).items()
    }
    settings = Settings.model_validate(values)
    listening = listen("127.0.0.1", [0])
    port: int = listening[0].getsockname()[1]
    async with (
        open_channels(settings) as channels,
        open_counters(settings.rate_limits_url, timeout_seconds=10) as counters,
        open_hub(*live_sources(settings, channels), pace) as hub,
    ):
        authenticator = credentials(channels, open_access=settings.open_access)
        sockets = socket_io(settings, hub, authenticator, counters)
        app = application(
            settings, channels, authenticator, counters, hub=hub, live_sockets=sockets, spans=spans
        )
        proxies = settings.trusted_proxies
        async with (
            serving(
                app, listening, limits, proxies=proxies, drain_seconds=0, grace_seconds=1
            ) as server,
            contextlib.aclosing(sockets),
        ):
            yield Gateway(port, app, hub, server, sockets)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[ScriptedServer]:
    """Serves one script to all tests of a module."""
    scripted = ScriptedServer(Script())
    yield scripted
    await scripted.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(server: ScriptedServer) -> str:
    """Returns the gRPC target of that server."""
    return await server.start()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(target: str) -> AsyncIterator[Gateway]:
    """Runs one gateway for all tests of a module."""
    async with run_gateway(target) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks HTTP to the gateway."""
    async with httpx.AsyncClient(base_url=gateway.url) as opened:
        yield opened


@pytest.fixture
def script(server: ScriptedServer) -> Script:
    """Returns the script, empty for each test."""
    server.script.answers.clear()
    server.script.asked.clear()
    return server.script
