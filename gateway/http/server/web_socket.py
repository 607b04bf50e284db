"""WebSockets on connections that began with HTTP, by uvicorn's protocol."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.protocol import State

from gateway.http.messages import Outlet, Request

MAX_MESSAGE_BYTES = 16 * 1024
CONNECTION = "boxoffice.connection"
"""Where the state of a connection's scope has its protocol."""


def web_socket_config(app: Any) -> uvicorn.Config:
    """Returns the configuration of WebSockets that an ASGI application serves."""
    config = uvicorn.Config(
        app,
        interface="asgi3",
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    config.load()
    return config


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket; `closed` is done once its connection is gone, of which the former one hears.

    `on_room` is called when it was full and takes data again.
    """

    def __init__(self, config: uvicorn.Config, former: asyncio.BaseProtocol) -> None:
        super().__init__(config, ServerState(), {CONNECTION: self})
        self._former = former
        self._is_paused = False
        self.closed = asyncio.get_running_loop().create_future()
        self.on_room: Callable[[], None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether the client has not read enough of what was written, or is leaving."""
        return self._is_paused or self.transport.is_closing()

    def write_frames(self, frames: bytes) -> None:
        """Writes whole frames; does nothing after a close frame, the last one that is allowed."""
        if self.conn.state is State.OPEN and not self.transport.is_closing():
            self.transport.write(frames)

    def pause_writing(self) -> None:
        """Holds writers back."""
        super().pause_writing()
        self._is_paused = True

    def resume_writing(self) -> None:
        """Lets writers go on."""
        super().resume_writing()
        self._is_paused = False
        if self.on_room is not None:
            self.on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the WebSocket, and releases what the connection holds."""
        super().connection_lost(exc)
        self.app_state.clear()
        self.on_room = None
        if not self.closed.done():  # it is cancelled when a stop cuts its requests off
            self.closed.set_result(None)
        cast(asyncio.Protocol, self._former).connection_lost(exc)


class WebSocketStream:
    """A response that turns its connection into a WebSocket; see BodyStream."""

    is_chunked = False

    def __init__(self, request: Request, config: uvicorn.Config) -> None:
        self._request = request
        self._config = config
        self._protocol: WebSocketProtocol | None = None

    async def pour(self, outlet: Outlet) -> None:
        """Serves the WebSocket until its connection is gone."""
        protocol = self._protocol = WebSocketProtocol(self._config, outlet.protocol)
        outlet.hand_over(protocol)
        protocol.data_received(_head(self._request))
        await protocol.closed

    def close(self) -> None:
        """Closes the WebSocket: its client should connect to another gateway."""
        if self._protocol is not None and not self._protocol.transport.is_closing():
            self._protocol.shutdown()


def _head(request: Request) -> bytes:
    """Returns the head of a request as it may have been sent."""
    target = request.path.encode() + (b"?" + request.query if request.query else b"")
    lines = b"".join(b"%b: %b\r\n" % header for header in request.headers.items())
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (target, lines)
