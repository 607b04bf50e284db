"""What comes in and what goes out: a request that was read whole, and its answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

Header: TypeAlias = tuple[bytes, bytes]

JSON = b"application/json"


class Request(NamedTuple):
    """A request.

    A named tuple, as making a frozen dataclass takes a microsecond more. `path` and `query` are as
    sent; `variables` are the decoded parts of the path; a header that was sent several times is
    joined with commas; `peer` is the address of the connection.
    """

    method: str
    path: str
    variables: Mapping[str, str]
    query: bytes
    headers: Mapping[bytes, bytes]
    request_id: str
    body: bytes
    peer: str = ""


class Response(NamedTuple):
    """A whole answer; the length, the request's id and the date are added when it is sent."""

    status: int
    headers: Sequence[Header]
    body: bytes


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

JSON_HEADERS: Sequence[Header] = (
    (b"content-type", JSON),
    (b"cache-control", b"no-store"),
)


def json_headers(cache_seconds: int) -> Sequence[Header]:
    """Gives the headers of JSON that anybody may keep for so long; for 0 seconds nobody may."""
    if not cache_seconds:
        return JSON_HEADERS
    return ((b"content-type", JSON), (b"cache-control", b"public, max-age=%d" % cache_seconds))


def joined(headers: Sequence[Header]) -> Mapping[bytes, bytes]:
    """Maps each header's name, in lower case, to its value; repeated ones are joined (RFC 9110)."""
    found = dict(headers)
    if len(found) == len(headers):
        return found
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return {name: b", ".join(several) for name, several in values.items()}
