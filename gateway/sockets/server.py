"""The Socket.IO server: its namespaces, its events, and who may connect."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import engineio
import socketio
import structlog
from engineio.async_drivers.asgi import WebSocket

from gateway.http.server.web_socket import CONNECTION
from gateway.live.hub import Hub
from gateway.sockets.client import Answer, Client
from gateway.sockets.packets import NAMESPACES, Packets
from services.kit.auth.authentication import Authenticator
from services.kit.rpc.errors import InvalidToken, Unavailable

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 16 * 1024
PING_SECONDS, PONG_SECONDS = 25, 20
MAX_ID = 2**63 - 1
INVALID: Answer = {"error": "validation_error", "screening_id": None}

_TOKEN = re.compile(r"[\x21-\x7e]{1,255}")
_NUMBER = re.compile(r"[0-9]{1,19}")
_has_callback: ContextVar[bool] = ContextVar("_has_callback", default=False)


class Transport(WebSocket):  # type: ignore[misc]  # the library has no types
    """The WebSocket of a client, to which its packets get access."""

    async def __call__(self, environ: Any) -> Any:
        """Serves the WebSocket."""
        socket = self.handler.__self__
        socket.queue.attach(socket, environ["asgi.scope"]["state"].pop(CONNECTION))
        return await super().__call__(environ)


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """The server of Engine.IO below."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._async: Mapping[str, Any] = {**self._async, "websocket": Transport}

    def create_queue(self, *_: Any, **__: Any) -> Packets:
        """Returns what keeps the packets of a client."""
        return Packets()


class Server(socketio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """A server that knows whether a client waits for an acknowledgement, and ends its last poll."""

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        socket = self.eio.sockets.get(eio_sid)
        await super()._handle_eio_disconnect(eio_sid, reason)
        if socket is not None and not socket.upgraded:
            socket.queue.put_nowait(None)

    async def _handle_event_internal(self, *call: Any) -> None:
        *_, acknowledgement_id = call
        _has_callback.set(acknowledgement_id is not None)
        await super()._handle_event_internal(*call)


class SeatsNamespace(socketio.AsyncNamespace):  # type: ignore[misc]  # the library has no types
    """One namespace, in which clients join the screenings that they watch."""

    def __init__(self, namespace: str, hub: Hub, authenticator: Authenticator) -> None:
        super().__init__(namespace)
        self._hub = hub
        self._authenticator = authenticator
        self._clients: dict[str, Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Handles an event of a client; a defect is logged and never ends the server."""
        try:
            if event == "connect":
                return await self._connect(*args)
            if event == "disconnect":
                return self._disconnect(args[0])
            return await self._message(event, *args)
        except socketio.exceptions.ConnectionRefusedError:
            raise
        except Exception:
            log.exception("socket failed", event_name=event[:32])
            return {"error": "internal"}

    async def _connect(self, sid: str, environ: Any, auth: Any = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        if token is not None:
            await self._check(token)
        socket = self.server.eio.sockets[self.server.manager.eio_sid_from_sid(sid, self.namespace)]
        self._clients[sid] = Client(
            self._hub, socket, self.namespace, lambda answer: self._tell(sid, answer)
        )

    async def _check(self, token: object) -> None:
        try:
            await self._authenticator.authenticate(f"Bearer {token}")
        except InvalidToken as error:
            raise socketio.exceptions.ConnectionRefusedError("invalid_token") from error
        except Unavailable:
            return  # As in requests: nothing that is read here needs an account.

    def _disconnect(self, sid: str) -> None:
        client = self._clients.pop(sid, None)
        if client is not None:
            client.leave_all()

    async def _message(self, event: str, sid: str, *data: Any) -> Answer | None:
        client = self._clients.get(sid)
        if client is None:
            return None
        if not client.may_send():
            await self.server.disconnect(sid, namespace=self.namespace)
            return None
        if event == "join_queue":
            answer = await self._join_queue(client, *data)
        elif event in {"join_screening", "leave_screening"}:
            answer = await self._join_or_leave(client, event, *data)
        else:
            return None
        if "error" in answer and not _has_callback.get():
            await self.emit("error", answer, to=sid)
        return answer

    async def _join_or_leave(self, client: Client, event: str, *data: Any) -> Answer:
        screening_id = _screening_id(*data)
        if screening_id is None:
            return INVALID
        if event == "join_screening":
            return await client.join(screening_id)
        client.leave(screening_id)
        return {"screening_id": screening_id}

    async def _join_queue(self, client: Client, *data: Any) -> Answer:
        token = _named("queue_token", *data)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            return INVALID
        # A token begins with the number of its event.
        number = token.partition(".")[0]
        screening_id = int(number) if _NUMBER.fullmatch(number) else 0
        if not 1 <= screening_id <= MAX_ID:
            return {"error": "queue_entry_not_found", "screening_id": None}
        return await client.join_queue(screening_id, token)

    def _tell(self, sid: str, answer: Answer) -> None:
        task = asyncio.create_task(self.emit("error", answer, to=sid))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def open_server(hub: Hub, authenticator: Authenticator, *, origins: Sequence[str] | str) -> Server:
    """Returns a server for pages of the given origins; `*` is any."""
    quiet = logging.getLogger("engineio.server")
    # Nonsense that clients send would be logged as errors; what fails here is logged above.
    quiet.setLevel(logging.CRITICAL + 1)
    server = Server(
        async_mode="asgi",
        namespaces=list(NAMESPACES),
        cors_allowed_origins=origins,
        cors_credentials=False,
        max_http_buffer_size=MAX_MESSAGE_BYTES,
        http_compression=False,
        ping_interval=PING_SECONDS,
        ping_timeout=PONG_SECONDS,
        logger=quiet,
        engineio_logger=quiet,
    )
    for namespace in NAMESPACES:
        server.register_namespace(SeatsNamespace(namespace, hub, authenticator))
    return server


def _screening_id(*data: Any) -> int | None:
    """Reads a number, or an object with one."""
    found = _named("screening_id", *data)
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return found if 1 <= found <= MAX_ID else None


def _named(name: str, *data: Any) -> Any:
    """Reads a value, or the one that an object has under a name."""
    found = data[0] if data else None
    return found.get(name) if isinstance(found, dict) else found
