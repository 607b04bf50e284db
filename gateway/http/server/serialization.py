"""Responses as bytes of HTTP/1.1."""

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from gateway.http.messages import Header, Response

_COMMON_HEADER: Header = (b"x-content-type-options", b"nosniff")
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_STATUS_LINES = {s: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


def serialize(response: Response, request_id: str, *, has_body: bool = True, closes: bool) -> bytes:
    """Returns the whole response; `closes` announces that the connection ends with it.

    Raises ValueError for a header with a line break, which a client would read as two headers.
    """
    lines = b"".join([b"%b: %b\r\n" % header for header in response.headers])
    if not lines.count(b"\r") == lines.count(b"\n") == len(response.headers):
        raise ValueError("a header has a line's end in it")
    # A 204 must not have a length, and that of a 304 would be another response's (RFC 9110).
    has_length = response.status not in _WITHOUT_BODY
    return b"%b%b%bx-request-id: %b\r\n%b\r\n%b" % (
        _first_lines(response.status, int(time.time())),
        lines,
        b"content-length: %d\r\n" % len(response.body) if has_length else b"",
        request_id.encode(),
        b"connection: close\r\n" if closes else b"",
        response.body if has_body else b"",
    )


@lru_cache(maxsize=32)
def _first_lines(status: int, now: int) -> bytes:
    """Returns the lines that all responses of a status within a second have in common."""
    date = formatdate(now, usegmt=True).encode()
    return b"%bdate: %b\r\n%b: %b\r\n" % (_STATUS_LINES[HTTPStatus(status)], date, *_COMMON_HEADER)
