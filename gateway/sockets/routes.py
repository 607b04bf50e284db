"""The routes of Socket.IO: long polling, WebSockets, and the script of its client."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import socketio

from gateway.admission.gate import ClientLimits
from gateway.http.files import file_route
from gateway.http.messages import Header, Request, Response
from gateway.http.routing import Route
from gateway.http.server.web_socket import WebSocketStream, web_socket_config
from services.kit.rpc.errors import Unavailable

PATH = "/socket.io/"
SCRIPT = Path(__file__).parent / "static/socket.io.min.js"
MEDIA_TYPE = b"text/plain"
SCRIPT_HEADERS: Sequence[Header] = ((b"cache-control", b"public, max-age=86400"),)


class Sockets:
    """Serves Socket.IO over HTTP; `max_sockets` is how many clients there may be."""

    def __init__(self, server: Any, limits: ClientLimits | None, *, max_sockets: int) -> None:
        self._server = server
        self._limits = limits
        self._max_sockets = max_sockets
        self._app = socketio.ASGIApp(server, socketio_path="socket.io")
        self._config = web_socket_config(self._app)
        self._is_closing = False

    async def __call__(self, request: Request) -> Response:
        """Answers a request. Raises Refusal."""
        if b"sid=" not in request.query:
            await self._admit(request)
        if request.headers.get(b"upgrade", b"").lower() == b"websocket":
            return Response(101, (), b"", WebSocketStream(request, self._config))
        return await self._answer(request)

    async def aclose(self) -> None:
        """Disconnects every client, and admits no further one: they go to other gateways."""
        if self._is_closing:
            return
        self._is_closing = True
        for socket in tuple(self._server.eio.sockets.values()):
            await socket.close(wait=False)
        await self._server.shutdown()

    async def _admit(self, request: Request) -> None:
        """Counts a new client. Raises Refusal."""
        if self._is_closing or len(self._server.eio.sockets) >= self._max_sockets:
            raise Unavailable
        if self._limits is not None:
            await self._limits.admit(request, "")

    async def _answer(self, request: Request) -> Response:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(_scope(request), receive, send)
        start, *parts = sent
        headers = [(name.lower(), value) for name, value in start["headers"]]
        body = b"".join(part["body"] for part in parts)
        return Response(start["status"], [*headers, (b"cache-control", b"no-store")], body)


def routes(sockets: Sockets, *, has_cors: bool) -> Sequence[Route]:
    """Returns the routes; with `has_cors` the middleware answers browsers that ask first."""
    methods = ("GET", "POST") if has_cors else ("GET", "POST", "OPTIONS")
    return (
        *(Route(each, PATH, sockets, media_type=MEDIA_TYPE, is_stream=True) for each in methods),
        file_route("/socket.io/socket.io.js", SCRIPT, SCRIPT_HEADERS),
    )


def _scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.version,
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "root_path": "",
        "query_string": request.query,
        "headers": list(request.headers.items()),
        "client": (request.peer, 0),
    }
