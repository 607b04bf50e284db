"""HTTP/1.1 on one connection, within limits of size and slowness.

What breaks a limit, or is not HTTP at all, is answered here in the form of every other error, and
the connection is closed, as nothing after it can be trusted.
"""

import asyncio
import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, cast

import httptools
from uvicorn.server import ServerState

from gateway import errors, headers, metrics
from gateway.app import App
from gateway.conversation import Conversation
from gateway.deadlines import Deadline
from gateway.exchange import Header, Request, joined
from gateway.limits import LIMITS, Limits
from gateway.routing import UNMATCHED
from gateway.sending import encoded
from services.kit.errors import Refusal, Unavailable

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}(?= /\S* HTTP/1\.[01]\r\n)")
_NEVER_ROUTED = b"TRACE"
"""What a method that the parser has never heard of is read as, so that a route refuses it."""


class _Phase(Enum):
    """What a connection waits for from its client."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class LimitedProtocol(asyncio.Protocol):
    """A connection that is never larger or slower than `limits`; `app` answers its requests."""

    app: App
    limits: Limits = LIMITS

    def __init__(self, server_state: ServerState, **_: Any) -> None:
        self._server_state = server_state
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._deadline = Deadline(self._loop, self._too_late)
        self._write_deadline: asyncio.TimerHandle | None = None
        self._phase = self._watched = _Phase.NOTHING
        self._received_bytes = self._header_bytes = 0
        self._body_after_upgrade = 0
        self._url = self._body = b""
        self._method = ""
        self._headers: list[Header] = []
        self._fields: Mapping[bytes, bytes] = {}
        self._refusal: Refusal | None = None
        self._is_refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepts a connection, or refuses it where there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        self._peer: str = (transport.get_extra_info("peername") or ("",))[0]
        connections = self._server_state.connections
        self._conversation = Conversation(
            self.app, self._transport, self._server_state.tasks, self._rested
        )
        connections.add(cast(Any, self))
        if len(connections) > self.limits.connections:
            self._refuse(Unavailable())
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection and all its deadlines."""
        self._server_state.connections.discard(cast(Any, self))
        self._deadline.close()
        self._conversation.drop()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
        self._parser = None  # It refers back, and so would wait for the collector.

    def eof_received(self) -> bool:
        """Answers a client that only closed its own side; it has no further request then."""
        if not self._conversation.is_busy or self._phase is not _Phase.NOTHING or self._is_refused:
            return False
        self._conversation.end()
        return True

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and answers what it refuses."""
        if self._is_refused:
            return
        self._received_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal or errors.BadRequest())
            return
        if self._phase is _Phase.HEAD and self._received_bytes > self.limits.head_bytes:
            self._refuse(errors.HeadersTooLarge())
        else:
            self._watch()

    def on_message_begin(self) -> None:
        """Begins a request."""
        self._phase = _Phase.HEAD
        self._url = self._body = b""
        self._headers = []
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Takes the request target, or a part of it."""
        self._url += url
        if len(self._url) > self.limits.url_bytes:
            self._stop(errors.UriTooLong())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; those after a body are counted and dropped."""
        self._header_bytes += len(name) + len(value) + 4
        if self._phase is _Phase.HEAD:
            self._headers.append((name.lower(), value))
        elif self._header_bytes > self.limits.header_bytes:
            self._stop(errors.HeadersTooLarge())

    def on_headers_complete(self) -> None:
        """Checks the head as a whole."""
        limits, found = self.limits, self._headers
        if len(found) > limits.header_count or self._header_bytes > limits.header_bytes:
            self._stop(errors.HeadersTooLarge())
        self._fields = fields = joined(found)
        self._target = httptools.parse_url(self._url)
        self._path = self._target.path.decode("ascii")
        if not self._is_framed(fields.get(b"host"), fields.get(b"transfer-encoding")):
            self._stop(errors.BadRequest())
        length = int(fields.get(b"content-length", 0))
        if length > limits.body_bytes:
            self._stop(errors.BodyTooLarge())
        self._phase = _Phase.BODY
        if self._parser.should_upgrade():
            self._body_after_upgrade = length
        if b"expect" in fields:
            self._invite_body()

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body."""
        self._body += body
        if len(self._body) > self.limits.body_bytes:
            self._stop(errors.BodyTooLarge())

    def on_message_complete(self) -> None:
        """Hands the request over, now that it is whole."""
        if self._body_after_upgrade:
            return
        self._phase = _Phase.NOTHING
        self._received_bytes = 0
        fields, parser = self._fields, self._parser
        method, self._method = self._method or parser.get_method().decode("ascii"), ""
        route, variables, _ = self.app.find(method, self._path)
        keeps_alive = parser.should_keep_alive() and parser.get_http_version() == "1.1"
        self._conversation.ask(
            route.handle,
            Request(
                method,
                self._path,
                variables,
                self._target.query or b"",
                fields,
                headers.request_id(fields.get(b"x-request-id")),
                self._body,
                self._peer,
            ),
            is_last=not keeps_alive or parser.should_upgrade(),
        )

    def pause_writing(self) -> None:
        """Gives a client that does not read its answers a while to do so."""
        self._conversation.pause_writing()
        self._write_deadline = self._loop.call_later(
            self.limits.write_seconds, self._transport.abort
        )

    def resume_writing(self) -> None:
        """Goes on once the client reads."""
        self._conversation.resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()

    def shutdown(self) -> None:
        """Ends when idle; one that is new gets a moment for the request that it was opened for."""
        if self._conversation.is_new and not self._is_refused:
            self._loop.call_later(self.limits.linger_seconds, self._conversation.end)
        else:
            self._conversation.end()

    def _feed(self, data: bytes) -> None:
        """Feeds the parser; what asks for another protocol is served as what it is, HTTP/1.1.

        The parser leaves the body of such a request to the other protocol.
        """
        if not self._body_after_upgrade:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            except httptools.HttpParserInvalidMethodError:
                renamed = self._renamed(data)
                if renamed is None:
                    raise
                self._feed(renamed)
                return
        body = data[: self._body_after_upgrade]
        if body:
            self._body_after_upgrade -= len(body)
            self.on_body(body)
            self.on_message_complete()

    def _renamed(self, data: bytes) -> bytes | None:
        """Notes a method that the parser does not know, and gives the request one that it does.

        Gives None where no request begins: what looks like a method may be anything there.
        """
        found = _METHOD.match(data) if self._received_bytes == len(data) else None
        if found is None:
            return None
        self._method = found[0].decode("ascii")
        self._parser = httptools.HttpRequestParser(self)
        return _NEVER_ROUTED + data[found.end() :]

    def _is_framed(self, host: bytes | None, encoding: bytes | None) -> bool:
        """Tells whether it is certain where the request ends and whom it is for."""
        version = self._parser.get_http_version()
        if version not in {"1.0", "1.1"} or (host is None and version == "1.1"):
            return False
        if host is not None and b"," in host:
            return False
        if encoding is None:
            return True
        is_plain = version == "1.1" and not self._parser.should_upgrade()
        return is_plain and encoding.lower() == b"chunked"

    def _invite_body(self) -> None:
        """Tells a client to send its body if it waits for that; others come first."""
        is_asked = self._fields.get(b"expect", b"").lower() == b"100-continue"
        is_next = self._phase is _Phase.BODY and not self._conversation.is_busy
        if is_asked and is_next and not self._body:
            self._transport.write(CONTINUE)

    def _stop(self, refusal: Refusal) -> None:
        """Makes the parser stop, so that `data_received` answers."""
        self._refusal = refusal
        raise ValueError(refusal.reason)

    def _watch(self) -> None:
        """Keeps the deadline of what is waited for; a request that came whole has none."""
        phase = self._phase
        if phase is _Phase.NOTHING:
            if self._conversation.is_busy:
                self._watched = phase
                self._deadline.clear()
                return
            phase = _Phase.HEAD
        if phase is not self._watched:
            limits = self.limits
            self._watched = phase
            seconds = limits.head_seconds if phase is _Phase.HEAD else limits.body_seconds
            self._deadline.set(seconds)

    def _rested(self) -> None:
        """Waits for the next request, or for the client to read the last answer."""
        if self._transport.is_closing():
            self._deadline.set(self.limits.write_seconds)
        elif self._phase is _Phase.NOTHING:
            self._watched = _Phase.NOTHING
            self._deadline.set(self.limits.idle_seconds)
        else:
            self._invite_body()

    def _too_late(self) -> None:
        transport = self._transport
        if self._is_refused or transport.is_closing():
            transport.abort()
        elif self._received_bytes:
            self._refuse(errors.BadRequest())
        elif transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answers and closes; the client gets a moment to read that, whatever it still sends."""
        self._is_refused = True
        if self._conversation.is_busy:
            self._deadline.clear()
            self._conversation.end()  # The answers before it come first, and are the last.
            return
        self._transport.write(self._response(refusal))
        self._transport.write_eof()
        self._deadline.set(self.limits.linger_seconds)

    def _response(self, refusal: Refusal) -> bytes:
        """Writes the whole answer to a request that no route sees."""
        answer = errors.answer(refusal)
        sent_id = joined(self._headers).get(b"x-request-id")
        metrics.REQUESTS.labels(UNMATCHED, "other", answer.status).inc()
        return encoded(answer, headers.request_id(sent_id), closes=True)
