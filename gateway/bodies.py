"""JSON bodies, read strictly: what two readers could take differently is refused."""

import json
from json.decoder import JSONDecodeError
from typing import Any, TypeAlias

from gateway import headers
from gateway.errors import MalformedJson
from gateway.exchange import Request

Members: TypeAlias = tuple[tuple[str, Any], ...]
"""An object as its members in order, so that a repeated name can be seen; arrays are lists."""


def read(request: Request) -> Members:
    """Reads the JSON object of a request. Raises UnsupportedMediaType or MalformedJson."""
    sent = request.headers
    headers.expect_json(sent.get(b"content-type"), sent.get(b"content-encoding"))
    return parse(request.body)


def parse(body: bytes) -> Members:
    """Parses a JSON object in UTF-8. Raises MalformedJson."""
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


_DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_float=_finite, parse_constant=_refuse)
