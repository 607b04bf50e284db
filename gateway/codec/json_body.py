"""JSON bodies, read strictly: what two readers could take differently is refused."""

import json
from json.decoder import JSONDecodeError
from typing import Any, TypeAlias

import orjson

from gateway.http import headers
from gateway.http.errors import MalformedJson
from gateway.http.messages import Request

Members: TypeAlias = tuple[tuple[str, Any], ...]
"""An object as its members in order, so that a repeated name can be seen; arrays are lists."""


def read(request: Request) -> Members:
    """Reads the JSON object of a request. Raises UnsupportedMediaType or MalformedJson."""
    sent = request.headers
    headers.require_json(sent.get(b"content-type"), sent.get(b"content-encoding"))
    return parse(request.body)


def parse(body: bytes) -> Members:
    """Parses a JSON object in UTF-8. Raises MalformedJson."""
    members = plain(body)
    return strict(body) if members is None else members


def plain(body: bytes) -> Members | None:
    """Reads an object of plain values in half the time; None where only the strict way can tell.

    Where nothing is escaped every string has two quotes. So a name that came twice, of which only
    the last one is kept, leaves quotes over.
    """
    if b"\\" in body:
        return None
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(parsed) is not dict:
        return None
    kinds = [*map(type, parsed.values())]
    strings = len(parsed) + kinds.count(str)
    if body.count(b'"') != 2 * strings or not _PLAIN.issuperset(kinds):
        return None
    return tuple(parsed.items())


def strict(body: bytes) -> Members:
    """Reads any object. Raises MalformedJson."""
    try:
        parsed = _DECODER.decode(body.decode())
    except (JSONDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise MalformedJson from error
    if type(parsed) is not tuple:
        raise MalformedJson
    return parsed


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"{text} is no finite number")
    return number


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


_PLAIN = {str, int, bool, type(None)}
_DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_float=_finite, parse_constant=_refuse)
