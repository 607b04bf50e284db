"""Requests of one connection, parsed and held to limits of size."""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, TypeAlias

import httptools

from gateway.http import errors
from gateway.http.messages import Header, joined
from gateway.http.server.framing import Pieces
from gateway.http.server.limits import Limits
from services.kit.rpc.errors import Refusal

Check: TypeAlias = Callable[[], Refusal | None]
"""Is called when a part of a request is there; returns why the request is refused, if it is."""


class Phase(Enum):
    """What a connection waits for from its client."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class Reader:
    """Parses requests; `head_received` and `received` are called with each, and may refuse it.

    While they run, the attributes are those of that request. `head_received` sets `max_body_bytes`;
    a body that turns out to be larger is refused.
    """

    def __init__(self, limits: Limits, head_received: Check, received: Check) -> None:
        self._limits = limits
        self._head_received: Check | None = head_received
        self._received: Check | None = received
        self._parser: Any = httptools.HttpRequestParser(self)
        self._pieces = Pieces()
        self._refusal: Refusal | None = None
        self._headers: list[Header] = []
        self._header_bytes = 0
        self._is_upgrade = self._is_invited = False
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
        """Parses what was received; returns why it is refused, if it is."""
        self.received_bytes += len(data)
        try:
            for piece in self._pieces.cut(data):
                self._parse(piece)
        except httptools.HttpParserError:
            return self._refusal or errors.BadRequest()
        if self._pieces.has_begun:
            self.phase = Phase.HEAD
        if self.phase is Phase.HEAD and self.received_bytes > self._limits.head_bytes:
            return errors.HeadersTooLarge()
        return None

    def close(self) -> None:
        """Forgets what refers back to the reader, which would wait for the collector else."""
        self._parser = self._head_received = self._received = None

    @property
    def method(self) -> str:
        """The method, also one that the parser does not know."""
        method: bytes = self._pieces.method or self._parser.get_method()
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
        """The headers of a request as far as they were read, also of one that is refused."""
        return joined(self._headers)

    def invites(self) -> bool:
        """Returns, once, that the client waits to be told to send its body."""
        if self.phase is not Phase.BODY or self._is_invited or self._body:
            return False
        self._is_invited = self.fields.get(b"expect", b"").lower() == b"100-continue"
        return self._is_invited

    def on_message_begin(self) -> None:
        """Begins a request."""
        self.phase = Phase.HEAD
        self._pieces.is_between = False

    def on_url(self, url: bytes) -> None:
        """Takes the request target, or a part of it."""
        self._url += url
        if len(self._url) > self._limits.url_bytes:
            self._stop(errors.UriTooLong())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; those after a body are counted and dropped."""
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
        self.fields = fields = joined(found)
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
        self._pieces.body_left = length
        self.phase = Phase.BODY

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body."""
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > self.max_body_bytes:
            self._stop(errors.BodyTooLarge())

    def on_message_complete(self) -> None:
        """Hands the request over, now that it is whole."""
        if self._pieces.body_left:
            return  # It asks for another protocol, to which the parser leaves the body.
        self.phase = Phase.NOTHING
        self.received_bytes = 0
        refusal = self._received() if self._received else None
        if refusal is not None:
            self._stop(refusal)
        self._forget()

    def _forget(self) -> None:
        """Drops a request, so that nothing of it is taken for a part of the next one."""
        self._pieces.is_between, self._pieces.method = True, b""
        self._url = b""
        self._headers, self._header_bytes = [], 0
        self._body, self._body_bytes = [], 0
        self._is_invited = False
        self.fields = {}

    def _parse(self, piece: bytes) -> None:
        """Feeds the parser; what asks for another protocol is served as what it is, HTTP/1.1."""
        if self._is_upgrade and self.phase is Phase.BODY:
            self.on_body(piece)
            self.on_message_complete()
            return
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            return

    def _is_framed(self, host: bytes | None, encoding: bytes | None) -> bool:
        """Returns whether it is certain where the request ends and whom it is for."""
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
        """Makes the parser stop, so that `feed` returns the refusal."""
        self._refusal = refusal
        raise ValueError(refusal.reason)
