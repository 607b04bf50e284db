"""Parses query strings and the parts of paths: percent-encoded UTF-8."""

from urllib.parse import unquote_to_bytes

from gateway.http.errors import BadRequest

Pairs = list[tuple[str, str]]


def parse(query: bytes) -> Pairs:
    """Splits a query string into names and values, in order. Raises BadRequest."""
    if not query:
        return []
    pieces = (piece.partition(b"=") for piece in query.split(b"&") if piece)
    return [(_form_decoded(name), _form_decoded(value)) for name, _, value in pieces]


def percent_decoded(text: bytes) -> str:
    """Percent-decodes a part of a path or query. Raises BadRequest unless it is UTF-8."""
    try:
        return (unquote_to_bytes(text) if b"%" in text else text).decode()
    except UnicodeDecodeError as error:
        raise BadRequest from error


def _form_decoded(text: bytes) -> str:
    return percent_decoded(text.replace(b"+", b" "))
