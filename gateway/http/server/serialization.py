"""Responses as bytes of HTTP/1.1."""

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from gateway.http.messages import Header, Response

_COMMON_HEADER: Header = (b"x-content-type-options", b"nosniff")
LAST_CHUNK = b"0\r\n\r\n"

_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_STATUS_LINES = {s: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


def serialize(response: Response, request_id: str, *, has_body: bool = True, closes: bool) -> bytes:
    """Returns the whole response; `closes` announces that the connection ends with it.

    Raises ValueError for a header with a line break, which a client would read as two headers.
    """
    # A 204 must not have a length, and that of a 304 would be another response's (RFC 9110).
    has_length = response.status not in _WITHOUT_BODY
    length = b"content-length: %d\r\n" % len(response.body) if has_length else b""
    head = _head(response, request_id, length, closes=closes)
    return head + response.body if has_body else head


def serialize_stream_head(response: Response, request_id: str, *, is_chunked: bool) -> bytes:
    """Returns the head of a streamed response, which is the last one of its connection."""
    coding = b"transfer-encoding: chunked\r\n" if is_chunked else b""
    return _head(response, request_id, coding, closes=True)


def serialize_chunk(part: bytes) -> bytes:
    """Returns a part of a chunked body; an empty part would end it."""
    return b"%x\r\n%b\r\n" % (len(part), part)


def _head(response: Response, request_id: str, framing: bytes, *, closes: bool) -> bytes:
    lines = b"".join([b"%b: %b\r\n" % header for header in response.headers])
    if not lines.count(b"\r") == lines.count(b"\n") == len(response.headers):
        raise ValueError("a header has a line's end in it")
    return b"%b%b%bx-request-id: %b\r\n%b\r\n" % (
        _first_lines(response.status, int(time.time())),
        lines,
        framing,
        request_id.encode(),
        b"connection: close\r\n" if closes else b"",
    )


@lru_cache(maxsize=32)
def _first_lines(status: int, now: int) -> bytes:
    """Returns the lines that all responses of a status within a second have in common."""
    date = formatdate(now, usegmt=True).encode()
    return b"%bdate: %b\r\n%b: %b\r\n" % (_STATUS_LINES[HTTPStatus(status)], date, *_COMMON_HEADER)
