"""Parses the requests of one connection, and keeps them within limits of size."""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, TypeAlias

import httptools

from gateway.http import errors
from gateway.http.messages import Header, combined
from gateway.http.server.framing import RequestSplitter
from gateway.http.server.limits import Limits
from services.kit.rpc.errors import Refusal

Check: TypeAlias = Callable[[], Refusal | None]
"""Checks a request whose head, or whole, has arrived; returns a refusal or None."""


class Phase(Enum):
    """The part of a request that a connection is receiving."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class RequestParser:
    """Parses requests; calls `head_received` and `received` for each, which may refuse it.

    While they run, the attributes are those of that request. `head_received` sets `max_body_bytes`;
    a larger body is refused.
    """

    def __init__(self, limits: Limits, head_received: Check, received: Check) -> None:
        self._limits = limits
        self._head_received: Check | None = head_received
        self._received: Check | None = received
        self._parser: Any = httptools.HttpRequestParser(self)
        self._splitter = RequestSplitter()
        self._refusal: Refusal | None = None
        self._headers: list[Header] = []
        self._header_bytes = 0
        self._is_upgrade = self._is_continued = False
        self._url = b""
        self._target: Any = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self.fields: Mapping[bytes, bytes] = {}
        self.max_body_bytes = limits.body_bytes
        self.announced_bytes: int | None = 0
        self.phase = Phase.NOTHING
        self.received_bytes = 0

    def feed(self, data: bytes) -> Refusal | None:
        """Parses received bytes; returns a refusal or None."""
        self.received_bytes += len(data)
        try:
            for piece in self._splitter.split(data):
                self._parse(piece)
        except httptools.HttpParserError:
            return self._refusal or errors.BadRequest()
        if self._splitter.has_begun:
            self.phase = Phase.HEAD
        if self.phase is Phase.HEAD and self.received_bytes > self._limits.head_bytes:
            return errors.HeadersTooLarge()
        return None

    def close(self) -> None:
        """Breaks reference cycles, so that memory is freed without the garbage collector."""
        self._parser = self._head_received = self._received = None

    @property
    def method(self) -> str:
        """The method, even one that httptools does not know."""
        method: bytes = self._splitter.method or self._parser.get_method()
        return method.decode("ascii")

    @property
    def path(self) -> str:
        """The path, as sent."""
        path: bytes = self._target.path
        return path.decode("ascii")

    @property
    def query(self) -> bytes:
        """The query, as sent."""
        return self._target.query or b""

    @property
    def body(self) -> bytes:
        """The body, as far as it was received."""
        return b"".join(self._body)

    @property
    def version(self) -> str:
        """The version of HTTP: "1.0" or "1.1"."""
        version: str = self._parser.get_http_version()
        return version

    @property
    def is_last(self) -> bool:
        """Whether no request follows on this connection."""
        keeps_alive = self._parser.should_keep_alive() and self.version == "1.1"
        return not keeps_alive or self._is_upgrade

    @property
    def sent_headers(self) -> Mapping[bytes, bytes]:
        """The headers that have arrived, even if the request was refused."""
        return combined(self._headers)

    def awaits_continue(self) -> bool:
        """Returns, once for a request, whether the client waits for `100 Continue`."""
        if self.phase is not Phase.BODY or self._is_continued or self._body:
            return False
        self._is_continued = self.fields.get(b"expect", b"").lower() == b"100-continue"
        return self._is_continued

    def on_message_begin(self) -> None:
        """Begins a request."""
        self.phase = Phase.HEAD
        self._splitter.is_between = False

    def on_url(self, url: bytes) -> None:
        """Appends a part of the request target."""
        self._url += url
        if len(self._url) > self._limits.url_bytes:
            self._stop(errors.UriTooLong())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header; trailers are counted and dropped."""
        self._header_bytes += len(name) + len(value) + 4
        if self.phase is Phase.HEAD:
            self._headers.append((name.lower(), value))
        elif self._header_bytes > self._limits.header_bytes:
            self._stop(errors.HeadersTooLarge())

    def on_headers_complete(self) -> None:
        """Checks the head as a whole."""
        limits, found = self._limits, self._headers
        if len(found) > limits.header_count or self._header_bytes > limits.header_bytes:
            self._stop(errors.HeadersTooLarge())
        self.fields = fields = combined(found)
        self._target = httptools.parse_url(self._url)
        self._is_upgrade = self._parser.should_upgrade()
        if not self._is_framed(fields.get(b"host"), fields.get(b"transfer-encoding")):
            self._stop(errors.BadRequest())
        length = int(fields.get(b"content-length", 0))
        self.announced_bytes = None if b"transfer-encoding" in fields else length
        refusal = self._head_received() if self._head_received else None
        if refusal is None and length > self.max_body_bytes:
            refusal = errors.BodyTooLarge()
        if refusal is not None:
            self._stop(refusal)
        self._splitter.body_left = length
        self.phase = Phase.BODY

    def on_body(self, body: bytes) -> None:
        """Appends a part of the body."""
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > self.max_body_bytes:
            self._stop(errors.BodyTooLarge())

    def on_message_complete(self) -> None:
        """Hands over the complete request."""
        if self._splitter.body_left:
            return  # After an upgrade header httptools does not parse the body: see `_parse`.
        self.phase = Phase.NOTHING
        self.received_bytes = 0
        refusal = self._received() if self._received else None
        if refusal is not None:
            self._stop(refusal)
        self._forget()

    def _forget(self) -> None:
        """Resets the state of a request, so that nothing of it leaks into the next one."""
        self._splitter.is_between, self._splitter.method = True, b""
        self._url = b""
        self._headers, self._header_bytes = [], 0
        self._body, self._body_bytes = [], 0
        self._is_continued = False
        self.fields = {}

    def _parse(self, piece: bytes) -> None:
        """Feeds httptools; a request to upgrade is served as plain HTTP/1.1."""
        if self._is_upgrade and self.phase is Phase.BODY:
            self.on_body(piece)
            self.on_message_complete()
            return
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            return

    def _is_framed(self, host: bytes | None, encoding: bytes | None) -> bool:
        """Returns whether the end of the request and its host are unambiguous."""
        version = self._parser.get_http_version()
        if version not in {"1.0", "1.1"} or (host is None and version == "1.1"):
            return False
        if host is not None and b"," in host:
            return False
        if encoding is None:
            return True
        is_plain = version == "1.1" and not self._is_upgrade
        return is_plain and encoding.lower() == b"chunked"

    def _stop(self, refusal: Refusal) -> None:
        """Stops httptools by an exception, so that `feed` returns the refusal."""
        self._refusal = refusal
        raise ValueError(refusal.reason)
