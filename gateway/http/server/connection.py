"""HTTP/1.1 on one connection, within limits of size and slowness.

What breaks a limit, or is not HTTP at all, is answered here in the form of every other error, and
the connection is closed, as nothing after it can be trusted.
"""

import asyncio
import fcntl
import termios
from typing import Any, cast

from uvicorn.server import ServerState

from gateway.http import errors, headers, metrics
from gateway.http.app import App
from gateway.http.messages import Request
from gateway.http.routing import UNMATCHED
from gateway.http.server.body_budget import BodyBudget
from gateway.http.server.connection_budget import ConnectionBudget, Slot
from gateway.http.server.limits import LIMITS, Limits
from gateway.http.server.parser import Phase, Reader
from gateway.http.server.pipeline import Pipeline
from gateway.http.server.serialization import serialize
from services.kit.concurrency.timer import Deadline
from services.kit.rpc.errors import Refusal, Unavailable

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class LimitedProtocol(asyncio.Protocol):
    """A connection that is never larger or slower than `limits`; `app` answers its requests.

    Where there is no room for it among all `connections`, it may only ask for what is vital.
    """

    app: App
    connections: ConnectionBudget
    bodies: BodyBudget
    limits: Limits = LIMITS

    def __init__(self, server_state: ServerState, **_: Any) -> None:
        self._server_state = server_state
        loop = self._loop = asyncio.get_running_loop()
        self._reader = Reader(self.limits, self._head_received, self._received)
        self._reserved_bytes = 0
        self._deadline = Deadline(loop, self._too_late)
        self._write_deadline: asyncio.TimerHandle | None = None
        self._watched = Phase.NOTHING
        self._is_idle = True
        self._is_refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepts a connection, or refuses it where there is no room at all."""
        self._transport = cast(asyncio.Transport, transport)
        self._peer: str = (transport.get_extra_info("peername") or ("",))[0]
        self._pipeline = Pipeline(
            self.app, self._transport, self._server_state.tasks, self._became_idle
        )
        self._server_state.connections.add(cast(Any, self))
        self._slot = self.connections.admit(self, self._peer)
        if self._slot is Slot.NONE:
            self._refuse(Unavailable())
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection and all that refers back to it."""
        self._server_state.connections.discard(cast(Any, self))
        self.connections.remove(self)
        self._deadline.close()
        self._pipeline.abandon()
        self._pipeline.when_done(self._release_bodies)
        self._reader.close()
        if self._write_deadline is not None:
            self._write_deadline.cancel()

    def eof_received(self) -> bool:
        """Responds to a client that closed its side only; a stream ends, as it has often left."""
        is_whole = self._reader.phase is Phase.NOTHING
        if not self._pipeline.is_busy or not is_whole or self._is_refused:
            return False
        self._pipeline.finish()
        return True

    def data_received(self, data: bytes) -> None:
        """Reads requests, and answers what is refused."""
        if self._is_refused:
            return
        if self._is_idle:
            self._is_idle = False
            self.connections.mark_busy(self)
        refusal = self._reader.feed(data)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._invite_body()
        self._watch()

    def pause_writing(self) -> None:
        """Gives a client that does not read its answers a while to do so."""
        self._pipeline.pause_writing()
        self._write_deadline = self._loop.call_later(
            self.limits.write_seconds, self._transport.abort
        )

    def resume_writing(self) -> None:
        """Goes on once the client reads."""
        self._pipeline.resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()

    def close_if_idle(self) -> bool:
        """Closes an idle connection for a newcomer, unless something is on its way."""
        if self._transport.get_write_buffer_size() or _has_unread_bytes(self._transport):
            return False
        self._transport.close()
        return True

    def shutdown(self) -> None:
        """Ends when idle; one that is new gets a moment for the request that it was opened for."""
        if self._pipeline.is_new and not self._is_refused:
            self._loop.call_later(self.limits.linger_seconds, self._pipeline.finish)
        else:
            self._pipeline.finish()

    def _head_received(self) -> Refusal | None:
        """Finds the route of a request, and room for its body if that may be a large one."""
        reader = self._reader
        self._match = self.app.find(reader.method, reader.path)
        most = self._match.route.max_body_bytes or self.limits.body_bytes
        reader.max_body_bytes = most
        size = most if reader.announced_bytes is None else reader.announced_bytes
        if self.limits.body_bytes < size <= most:
            if not self.bodies.reserve(size):
                return Unavailable()
            self._reserved_bytes += size
        return None

    def _received(self) -> Refusal | None:
        """Hands a complete request to the application."""
        reader = self._reader
        route, variables, _ = self._match
        if self._slot is Slot.RESERVED and not route.is_vital:
            return Unavailable()
        request = Request(
            reader.method,
            reader.path,
            variables,
            reader.query,
            reader.fields,
            headers.request_id(reader.fields.get(b"x-request-id")),
            reader.body,
            self._peer,
            reader.version,
        )
        is_last = reader.is_last or self._slot is Slot.RESERVED
        self._pipeline.add(route.handle, request, is_last=is_last)
        return None

    def _invite_body(self) -> None:
        """Tells a client to send its body if it waits for that; others come first."""
        if not self._pipeline.is_busy and self._reader.invites():
            self._transport.write(CONTINUE)

    def _watch(self) -> None:
        """Keeps the deadline of what is waited for; a request that came whole has none."""
        phase = self._reader.phase
        if phase is Phase.NOTHING:
            if self._pipeline.is_busy:
                self._watched = phase
                self._deadline.clear()
                return
            phase = Phase.HEAD
        if phase is not self._watched:
            self._watched = phase
            is_head = phase is Phase.HEAD
            self._deadline.set(self.limits.head_seconds if is_head else self._body_seconds())

    def _body_seconds(self) -> float:
        limits = self.limits
        return limits.body_seconds + self._reserved_bytes / limits.large_body_bytes_per_second

    def _release_bodies(self) -> None:
        self.bodies.release(self._reserved_bytes)
        self._reserved_bytes = 0

    def _became_idle(self) -> None:
        """Waits for the next request, or for the client to read the last response."""
        if self._reader.phase is not Phase.BODY:
            self._release_bodies()
        if self._transport.is_closing():
            self._deadline.set(self.limits.write_seconds)
        elif self._reader.phase is Phase.NOTHING:
            self._watched = Phase.NOTHING
            self._deadline.set(self.limits.idle_seconds)
            self._is_idle = True
            self.connections.mark_idle(self)
        else:
            self._invite_body()

    def _too_late(self) -> None:
        transport = self._transport
        if self._is_refused or transport.is_closing():
            transport.abort()
        elif self._reader.received_bytes:
            self._refuse(errors.BadRequest())
        elif transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answers and closes; the client gets a moment to read that, whatever it still sends."""
        self._is_refused = True
        if self._pipeline.is_busy:
            self._deadline.clear()
            self._pipeline.finish()  # The answers before it come first, and are the last.
            return
        self._transport.write(self._response(refusal))
        self._transport.write_eof()
        self._deadline.set(self.limits.linger_seconds)

    def _response(self, refusal: Refusal) -> bytes:
        """Writes the whole response to a request that no route sees."""
        sent = self._reader.sent_headers
        response = self.app.refuse(refusal, sent.get(b"origin"))
        metrics.REQUESTS.labels(UNMATCHED, "other", response.status).inc()
        return serialize(response, headers.request_id(sent.get(b"x-request-id")), closes=True)


def _has_unread_bytes(transport: asyncio.BaseTransport) -> bool:
    """Returns whether the client sent something that has not been read yet."""
    descriptor: int = transport.get_extra_info("socket").fileno()
    return any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
