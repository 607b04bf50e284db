"""HTTP/1.1 on one connection, within limits of size and time.

A request that breaks a limit, or is not HTTP, gets a response in the form of every other error.
Then the connection is closed, as it is unclear where the next request would begin.
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
from gateway.http.server.parser import Phase, RequestParser
from gateway.http.server.pipeline import Pipeline
from gateway.http.server.serialization import serialize
from services.kit.concurrency.timer import Deadline
from services.kit.rpc.errors import Refusal, Unavailable

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class HttpProtocol(asyncio.Protocol):
    """A connection within `limits`; `app` handles its requests.

    A connection for which `connections` has a reserved slot only may call vital routes only.
    """

    app: App
    connections: ConnectionBudget
    bodies: BodyBudget
    limits: Limits = LIMITS

    def __init__(self, server_state: ServerState, **_: Any) -> None:
        self._server_state = server_state
        loop = self._loop = asyncio.get_running_loop()
        self._parser = RequestParser(self.limits, self._head_received, self._received)
        self._reserved_bytes = 0
        self._deadline = Deadline(loop, self._time_out)
        self._write_deadline: asyncio.TimerHandle | None = None
        self._watched = Phase.NOTHING
        self._is_idle = True
        self._is_refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepts a connection, or refuses it if there is no slot."""
        self._transport = cast(asyncio.Transport, transport)
        self._peer: str = (transport.get_extra_info("peername") or ("",))[0]
        self._pipeline = Pipeline(
            self.app,
            self._transport,
            self._server_state.tasks,
            self._became_idle,
            self._became_stream,
        )
        self._server_state.connections.add(cast(Any, self))
        self._slot = self.connections.admit(self, self._peer)
        if self._slot is Slot.NONE:
            self._refuse(Unavailable())
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Releases everything that the connection holds, and breaks reference cycles."""
        self._server_state.connections.discard(cast(Any, self))
        self.connections.remove(self)
        self._deadline.close()
        self._pipeline.abandon()
        self._pipeline.when_done(self._release_bodies)
        self._parser.close()
        if self._write_deadline is not None:
            self._write_deadline.cancel()

    def eof_received(self) -> bool:
        """Responds to a client that closed its side only; a stream ends, as it has often left.

        With TLS there is no such half of a connection.
        """
        if not self._transport.can_write_eof():
            return False
        is_whole = self._parser.phase is Phase.NOTHING
        if not self._pipeline.is_busy or not is_whole or self._is_refused:
            return False
        self._pipeline.finish()
        return True

    def data_received(self, data: bytes) -> None:
        """Parses requests, and responds to those that are refused."""
        if self._is_refused:
            return
        if self._is_idle:
            self._is_idle = False
            self.connections.mark_busy(self)
        refusal = self._parser.feed(data)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._send_continue()
        self._watch()

    def pause_writing(self) -> None:
        """Sets a deadline for a client that does not read its responses."""
        self._pipeline.outlet.pause()
        is_stream = self._pipeline.is_streaming
        limits = self.limits
        seconds = limits.stream_write_seconds if is_stream else limits.write_seconds
        self._write_deadline = self._loop.call_later(seconds, self._transport.abort)

    def resume_writing(self) -> None:
        """Removes the deadline once the client reads."""
        self._pipeline.outlet.resume()
        if self._write_deadline is not None:
            self._write_deadline.cancel()

    def close_if_idle(self) -> bool:
        """See Connection."""
        if self._transport.get_write_buffer_size() or _has_unread_bytes(self._transport):
            return False
        self._transport.close()
        return True

    def shutdown(self) -> None:
        """Closes when idle; a new connection gets a moment to send its first request."""
        if self._pipeline.is_new and not self._is_refused:
            self._loop.call_later(self.limits.linger_seconds, self._pipeline.finish)
        else:
            self._pipeline.finish()

    def _head_received(self) -> Refusal | None:
        """Finds the route of a request, and reserves memory for a large body."""
        parser = self._parser
        self._match = self.app.find(parser.method, parser.path)
        most = self._match.route.max_body_bytes or self.limits.body_bytes
        parser.max_body_bytes = most
        size = most if parser.announced_bytes is None else parser.announced_bytes
        if self.limits.body_bytes < size <= most:
            if not self.bodies.reserve(size):
                return Unavailable()
            self._reserved_bytes += size
        return None

    def _received(self) -> Refusal | None:
        """Hands a complete request to the application."""
        parser = self._parser
        route, variables, _ = self._match
        if self._slot is Slot.RESERVED and not route.is_vital:
            return Unavailable()
        request = Request(
            parser.method,
            parser.path,
            variables,
            parser.query,
            parser.fields,
            headers.request_id(parser.fields.get(b"x-request-id")),
            parser.body,
            self._peer,
            parser.version,
        )
        is_last = parser.is_last or self._slot is Slot.RESERVED
        self._pipeline.add(route.handle, request, is_last=is_last)
        return None

    def _send_continue(self) -> None:
        """Sends `100 Continue` to a client that waits for it, once earlier requests are done."""
        if not self._pipeline.is_busy and self._parser.awaits_continue():
            self._transport.write(CONTINUE)

    def _watch(self) -> None:
        """Sets the deadline of the phase; a complete request has none."""
        phase = self._parser.phase
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
        if self._parser.phase is not Phase.BODY:
            self._release_bodies()
        if self._transport.is_closing():
            self._deadline.set(self.limits.write_seconds)
        elif self._parser.phase is Phase.NOTHING:
            self._watched = Phase.NOTHING
            self._deadline.set(self.limits.idle_seconds)
            self._is_idle = True
            self.connections.mark_idle(self)
        else:
            self._send_continue()

    def _became_stream(self) -> None:
        """Frees the slot for another connection: streams have a limit of their own."""
        self.connections.remove(self)

    def _time_out(self) -> None:
        transport = self._transport
        if self._is_refused or transport.is_closing():
            transport.abort()
        elif self._parser.received_bytes:
            self._refuse(errors.BadRequest())
        elif transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Responds and closes; the client gets a moment to read it, and its input is ignored."""
        self._is_refused = True
        if self._pipeline.is_busy:
            self._deadline.clear()
            self._pipeline.finish()  # Earlier responses come first; the refusal is left out.
            return
        self._transport.write(self._response(refusal))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._deadline.set(self.limits.linger_seconds)

    def _response(self, refusal: Refusal) -> bytes:
        """Returns the response to a request that reaches no route."""
        sent = self._parser.sent_headers
        response = self.app.refuse(refusal, sent.get(b"origin"))
        metrics.REQUESTS.labels(UNMATCHED, "other", response.status).inc()
        return serialize(response, headers.request_id(sent.get(b"x-request-id")), closes=True)


def _has_unread_bytes(transport: asyncio.BaseTransport) -> bool:
    """Returns whether the kernel holds bytes of the client that were not read yet."""
    descriptor: int = transport.get_extra_info("socket").fileno()
    return any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
