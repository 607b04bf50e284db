"""A response as bytes of HTTP/1.1."""

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from gateway.http.messages import Header, Response

_ALL_ANSWERS: Header = (b"x-content-type-options", b"nosniff")
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_STATUS_LINES = {s: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


def encoded(response: Response, request_id: str, *, has_body: bool = True, closes: bool) -> bytes:
    """Gives the whole response; `closes` tells the client that the connection ends with it.

    Raises ValueError for a header that would be read as two.
    """
    lines = b"".join([b"%b: %b\r\n" % header for header in response.headers])
    if not lines.count(b"\r") == lines.count(b"\n") == len(response.headers):
        raise ValueError("a header has a line's end in it")
    # Where there never is a body, its length may not be told, or is that of another one (RFC 9110).
    has_length = response.status not in _BODILESS
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
    """Gives what is the same in all answers of a status within a second."""
    date = formatdate(now, usegmt=True).encode()
    return b"%bdate: %b\r\n%b: %b\r\n" % (_STATUS_LINES[HTTPStatus(status)], date, *_ALL_ANSWERS)
