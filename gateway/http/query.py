"""Parses query strings and the parts of paths: percent-encoded UTF-8."""

from urllib.parse import unquote_to_bytes

from gateway.http.errors import BadRequest

Pairs = list[tuple[str, str]]


def parse(query: bytes) -> Pairs:
    """Splits a query string into names and values, in order. Raises BadRequest."""
    if not query:
        return []
    pieces = (piece.partition(b"=") for piece in query.split(b"&") if piece)
    return [(decoded(_spaced(name)), decoded(_spaced(value))) for name, _, value in pieces]


def decoded(text: bytes) -> str:
    """Percent-decodes a part of a path or query. Raises BadRequest unless it is UTF-8."""
    try:
        return (unquote_to_bytes(text) if b"%" in text else text).decode()
    except UnicodeDecodeError as error:
        raise BadRequest from error


def _spaced(text: bytes) -> bytes:
    return text.replace(b"+", b" ")
