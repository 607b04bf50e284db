"""HTTP messages: a request that was received completely, and its response."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

Header: TypeAlias = tuple[bytes, bytes]

JSON = b"application/json"


class Request(NamedTuple):
    """A request; a named tuple, as a frozen dataclass takes a microsecond more to create.

    `path` and `query` are as sent; `variables` are decoded from the path; the values of a repeated
    header are joined with commas; `peer` is the address of the connection; `version` is that of
    HTTP.
    """

    method: str
    path: str
    variables: Mapping[str, str]
    query: bytes
    headers: Mapping[bytes, bytes]
    request_id: str
    body: bytes
    peer: str = ""
    version: str = "1.1"


class Outlet(Protocol):
    """Where a stream writes its body."""

    on_room: Callable[[], None] | None
    """Called when an outlet that was full takes data again."""

    @property
    def is_full(self) -> bool:
        """Whether the client has not read enough of what was written, or has gone."""

    @property
    def protocol(self) -> asyncio.BaseProtocol:
        """The protocol of the connection."""

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Passes the connection to another protocol, which must tell this one when it is lost."""

    def write(self, data: bytes) -> None:
        """Writes as it is, even if the outlet is full; does nothing for a client that has gone."""

    async def send_part(self, part: bytes) -> None:
        """Writes a part of the body once there is room."""


class BodyStream(Protocol):
    """A body that is still being written. Close it in any case, poured to its end or not.

    One that is chunked is written with `send_part` only.
    """

    @property
    def is_chunked(self) -> bool:
        """Whether the parts are framed; otherwise the end of the connection ends the body."""

    async def pour(self, outlet: Outlet) -> None:
        """Writes the body, until its end or until `close`. Raises Refusal if it breaks."""

    def close(self) -> None:
        """Stops the writing; does nothing the second time."""


class Response(NamedTuple):
    """A response; its length, the request id and the date are added when it is serialized."""

    status: int
    headers: Sequence[Header]
    body: bytes
    stream: BodyStream | None = None
    """The body if it is still being written; `body` is empty then."""


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

JSON_HEADERS: Sequence[Header] = (
    (b"content-type", JSON),
    (b"cache-control", b"no-store"),
)


def json_headers(cache_seconds: int) -> Sequence[Header]:
    """Returns the headers of JSON that any cache may keep; for 0 seconds none may."""
    if not cache_seconds:
        return JSON_HEADERS
    return ((b"content-type", JSON), (b"cache-control", b"public, max-age=%d" % cache_seconds))


def combined(headers: Sequence[Header]) -> Mapping[bytes, bytes]:
    """Maps the names of headers to their values; repeated headers are joined (RFC 9110)."""
    found = dict(headers)
    if len(found) == len(headers):
        return found
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return {name: b", ".join(several) for name, several in values.items()}
