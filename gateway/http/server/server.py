"""The HTTP server: accepting connections, and its graceful shutdown."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, cast

import uvicorn

from gateway.http.app import App
from gateway.http.client_address import Network
from gateway.http.server.body_budget import BodyBudget
from gateway.http.server.connection import HttpProtocol
from gateway.http.server.connection_budget import ConnectionBudget
from gateway.http.server.limits import Limits
from gateway.http.server.listening import BACKLOG
from gateway.http.server.tls import over_tls
from services.kit.tls.reloading import Reloading


class Server(uvicorn.Server):
    """uvicorn's server, started inside a running loop that handles signals itself."""

    def __init__(
        self,
        app: App,
        limits: Limits,
        connections: ConnectionBudget,
        *,
        grace_seconds: float,
        tls: Reloading[ssl.SSLContext] | None = None,
    ) -> None:
        bodies = BodyBudget(limits.large_bodies_bytes)
        shared = {"app": app, "limits": limits, "connections": connections, "bodies": bodies}
        protocol = type("Protocol", (HttpProtocol,), shared)
        config = uvicorn.Config(
            cast(Any, app),
            http=cast(Any, protocol if tls is None else over_tls(protocol, tls)),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=max(1, round(grace_seconds)),
        )
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops accepting, serves connections in the kernel's backlog, and lets requests finish."""
        accepted = [connection for listening in sockets or () for connection in _backlog(listening)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in accepted:
            await loop.connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        protocol: Callable[..., asyncio.Protocol] = cast(Any, self.config.http_protocol_class)
        return protocol(config=self.config, server_state=self.server_state, app_state={})

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the loop."""
        yield


@contextlib.asynccontextmanager
async def serving(
    app: App,
    sockets: Sequence[socket.socket],
    limits: Limits,
    *,
    proxies: Sequence[Network] = (),
    drain_seconds: float,
    grace_seconds: float,
    tls: Reloading[ssl.SSLContext] | None = None,
) -> AsyncIterator[Server]:
    """Serves while the block runs, with `tls` over HTTPS; afterwards lets requests finish.

    For `drain_seconds` it still accepts, but closes each connection after its response, so that
    balancers and clients use other gateways by the time it stops accepting.
    """
    budget = ConnectionBudget(limits, proxies)
    server = Server(app, limits, budget, grace_seconds=grace_seconds, tls=tls)
    task = asyncio.create_task(server.serve(list(sockets)))
    try:
        yield server
        app.is_draining = True
        await asyncio.sleep(drain_seconds)
    finally:
        server.should_exit = True
        await task


def _backlog(listening: socket.socket) -> Iterator[socket.socket]:
    """Accepts the connections that the kernel holds in the backlog."""
    listening.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            yield listening.accept()[0]
