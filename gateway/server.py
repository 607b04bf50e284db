"""The HTTP server: its sockets, and its orderly end."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, cast

import uvicorn

from gateway.app import App
from gateway.limits import Limits
from gateway.protocol import LimitedProtocol
from services.kit import ports
from services.kit.ports import CannotListenError

BACKLOG = 2048


class Server(uvicorn.Server):
    """uvicorn's server inside a loop of ours, which listens to signals itself."""

    def __init__(self, app: App, limits: Limits, *, grace_seconds: float) -> None:
        protocol = type("Protocol", (LimitedProtocol,), {"app": app, "limits": limits})
        config = uvicorn.Config(
            cast(Any, app),
            http=protocol,
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
        """Stops accepting, takes over what the kernel accepted by then, and lets all finish."""
        accepted = [connection for listening in sockets or () for connection in _queue(listening)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in accepted:
            await loop.connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        protocol: type[LimitedProtocol] = cast(Any, self.config.http_protocol_class)
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
    drain_seconds: float,
    grace_seconds: float,
) -> AsyncIterator[Server]:
    """Serves while the block runs; afterwards lets requests in flight finish.

    For `drain_seconds` it still accepts, but closes each connection after its answer, so that
    balancers and clients have gone elsewhere when it stops accepting.
    """
    server = Server(app, limits, grace_seconds=grace_seconds)
    task = asyncio.create_task(server.serve(list(sockets)))
    try:
        yield server
        app.is_draining = True
        await asyncio.sleep(drain_seconds)
    finally:
        server.should_exit = True
        await task


def _queue(listening: socket.socket) -> Iterator[socket.socket]:
    """Takes the connections that wait to be accepted."""
    listening.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            yield listening.accept()[0]


def listen(host: str, numbers: Sequence[int]) -> Sequence[socket.socket]:
    """Binds a socket per port, waiting a moment for what is taken. Raises CannotListenError."""
    sockets: list[socket.socket] = []
    try:
        sockets.extend(_bind(host, number) for number in numbers)
    except CannotListenError:
        for opened in sockets:
            opened.close()
        raise
    return sockets


def _bind(host: str, port: int) -> socket.socket:
    try:
        return ports.patiently(lambda: _listening(host, port))
    except OSError as error:
        raise CannotListenError(f"{host}:{port}", ports.reason(error, port)) from error


def _listening(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    opened = socket.socket(family, kind)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        # Listening already tells whether somebody else does.
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened
