"""HTTP/1.1 on one connection, with limits: uvicorn's protocol has none for size or slowness.

What breaks a limit, or is not HTTP at all, is answered here in the form of every other error, and
the connection is closed, as nothing after it can be trusted.
"""

import asyncio
from enum import Enum, auto
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway import errors, headers, metrics
from gateway.exchange import Header, joined
from gateway.limits import LIMITS, Limits
from gateway.routing import UNMATCHED
from services.kit.errors import Refusal, Unavailable


class _Phase(Enum):
    """What a connection waits for from its client."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class LimitedProtocol(HttpToolsProtocol):
    """A connection that is never larger or slower than `limits`."""

    limits: Limits = LIMITS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._phase = _Phase.HEAD
        self._received_bytes = 0
        self._header_bytes = 0
        self._body_bytes = 0
        self._body_after_upgrade = 0
        self._refusal: Refusal | None = None
        self._is_refused = False
        self._deadline: asyncio.TimerHandle | None = None
        self._deadline_phase = _Phase.NOTHING
        self._write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accepts a connection, or refuses it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(Unavailable())
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection and all its deadlines."""
        for timer in (self._deadline, self._write_deadline, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answers a client that only closed its own side; it has no further request then."""
        cycle = self._in_progress()
        if cycle is None or self._phase is not _Phase.NOTHING or self._is_refused:
            return False
        cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and answers what it refuses."""
        if self._is_refused:
            return
        self._received_bytes += len(data)
        self._unset_keepalive_if_required()
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
        super().on_message_begin()
        self._phase = _Phase.HEAD
        self._header_bytes = self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Takes the request target, or a part of it."""
        super().on_url(url)
        if len(self.url) > self.limits.url_bytes:
            self._stop(errors.UriTooLong())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; those after a body are counted and dropped."""
        self._header_bytes += len(name) + len(value) + 4
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)
        is_too_many = len(self.headers) > self.limits.header_count
        if is_too_many or self._header_bytes > self.limits.header_bytes:
            self._stop(errors.HeadersTooLarge())

    def on_headers_complete(self) -> None:
        """Checks the head as a whole, and starts the application."""
        fields = joined(self.headers)
        if not self._is_framed(fields.get(b"host"), fields.get(b"transfer-encoding")):
            self._stop(errors.BadRequest())
        length = int(fields.get(b"content-length", 0))
        if length > self.limits.body_bytes:
            self._stop(errors.BodyTooLarge())
        super().on_headers_complete()
        self._phase = _Phase.BODY
        if self.parser.should_upgrade():
            self._body_after_upgrade = length
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > self.limits.body_bytes:
            self._stop(errors.BodyTooLarge())
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request."""
        if self._body_after_upgrade:
            return
        self._phase = _Phase.NOTHING
        self._received_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Ends an answer; where the connection ends with it, it must be read in time, too."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._write_deadline = self.loop.call_later(
                self.limits.write_seconds, self.transport.abort
            )

    def pause_writing(self) -> None:
        """Gives a client that does not read its answers a while to do so."""
        super().pause_writing()
        self._write_deadline = self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Goes on once the client reads."""
        super().resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()

    def shutdown(self) -> None:
        """Ends when idle; one that is new gets a moment for the request that it was opened for."""
        is_new = cast(RequestResponseCycle | None, self.cycle) is None
        if is_new and not self._is_refused:
            self.loop.call_later(self.limits.linger_seconds, super().shutdown)
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Ends a connection that is idle, even where its last answer was never read."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _feed(self, data: bytes) -> None:
        """Feeds the parser; what asks for another protocol is served as what it is, HTTP/1.1.

        The parser leaves the body of such a request to the other protocol.
        """
        if not self._body_after_upgrade:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
        body = data[: self._body_after_upgrade]
        if body:
            self._body_after_upgrade -= len(body)
            self.on_body(body)
            self.on_message_complete()

    def _is_framed(self, host: bytes | None, encoding: bytes | None) -> bool:
        """Tells whether it is certain where the request ends and whom it is for."""
        version = self.parser.get_http_version()
        if version not in {"1.0", "1.1"} or (host is None and version == "1.1"):
            return False
        if host is not None and b"," in host:
            return False
        if encoding is None:
            return True
        is_plain = version == "1.1" and not self.parser.should_upgrade()
        return is_plain and encoding.lower() == b"chunked"

    def _stop(self, refusal: Refusal) -> None:
        """Makes the parser stop, so that `data_received` answers."""
        self._refusal = refusal
        raise ValueError(refusal.reason)

    def _watch(self) -> None:
        """Keeps the deadline of what is waited for; a request that came whole costs none."""
        phase = self._phase
        if phase is _Phase.NOTHING and self._in_progress() is None:
            phase = _Phase.HEAD
        if phase is self._deadline_phase:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline_phase, self._deadline = phase, None
        if phase is not _Phase.NOTHING:
            limits = self.limits
            seconds = limits.head_seconds if phase is _Phase.HEAD else limits.body_seconds
            self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        if self._received_bytes:
            self._refuse(errors.BadRequest())
        else:
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answers and closes; the client gets a moment to read that, whatever it still sends."""
        self._is_refused = True
        cycle = self._in_progress()
        if self._phase is _Phase.BODY:
            if cycle is None or cycle.response_started or self.pipeline:
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        elif cycle is not None:
            cycle.keep_alive = False  # The answers before it come first, and are the last.
            return
        self._say(refusal)

    def _say(self, refusal: Refusal) -> None:
        self.flow.resume_reading()
        self.transport.write(self._response(refusal))
        self.transport.write_eof()
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self.limits.linger_seconds, self.transport.abort)

    def _in_progress(self) -> RequestResponseCycle | None:
        """Gives the last request, if it is not answered yet."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return None if cycle is None or cycle.response_complete else cycle

    def _response(self, refusal: Refusal) -> bytes:
        """Writes the whole answer to a request that no application sees."""
        answer = errors.answer(refusal)
        sent_id = joined(self.headers or ()).get(b"x-request-id")
        metrics.REQUESTS.labels(UNMATCHED, "other", answer.status).inc()
        fields: list[Header] = [
            *self.server_state.default_headers,
            *answer.headers,
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", headers.request_id(sent_id).encode()),
            (b"connection", b"close"),
        ]
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        return STATUS_LINE[answer.status] + lines + b"\r\n" + answer.body
