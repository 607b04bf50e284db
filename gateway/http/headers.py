"""Parses request headers: each strictly, or not at all."""

import random
import re
from functools import lru_cache

from gateway.contract.bindings import ACCEPT_ENCODING, KEY_HEADER
from gateway.http.errors import InvalidKey, UnsupportedMediaType
from gateway.http.messages import JSON
from services.kit.rpc import entity_tags

CONDITIONS = frozenset({"If-Match", "If-None-Match"})
GZIP_SUFFIX = b"-gzip"
"""Ends the ETag of a compressed response, as each encoding is a representation of its own."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED = re.compile(rb'\\(["\\])')
_PARAMETER = re.compile(rb'charset=(?:utf-8|"utf-8")', re.IGNORECASE)


def request_id(sent: bytes | None) -> str:
    """Returns the client's request id if it is fit for logs, else a new one."""
    if sent is not None and _REQUEST_ID.fullmatch(sent):
        return sent.decode()
    # It is no secret, and uuid4 takes three microseconds more.
    return f"{random.getrandbits(128):032x}"


def field_value(header: str, sent: bytes) -> str | bool:
    """Parses a header that carries a field of the request. Raises InvalidKey."""
    if header == ACCEPT_ENCODING:
        return accepts_gzip(sent)
    if header == KEY_HEADER:
        return idempotency_key(sent)
    if header in CONDITIONS:
        # Services compare versions, and do not know of compression.
        return _without_encoding(sent)
    return sent.decode("latin-1")


def etag_matches(tag: bytes, sent: bytes) -> bool:
    """Returns whether `If-None-Match` names an ETag, by the weak comparison of RFC 9110.

    The ETag of the compressed response matches as well.
    """
    wanted = tag.strip(b'"').removesuffix(GZIP_SUFFIX)
    return entity_tags.matches(wanted.decode("latin-1"), _without_encoding(sent))


def idempotency_key(sent: bytes) -> str:
    """Parses a key, bare or as the quoted string of RFC 8941. Raises InvalidKey."""
    quoted = _QUOTED.fullmatch(sent)
    if quoted:
        key = _ESCAPED.sub(rb"\1", quoted[1])
    elif sent.startswith(b'"'):
        raise InvalidKey
    else:
        key = sent
    if not _KEY.fullmatch(key):
        raise InvalidKey
    return key.decode()


def require_uncompressed(encoding: bytes | None) -> None:
    """Raises UnsupportedMediaType for a body that is announced as compressed."""
    if encoding is not None and encoding.lower() != b"identity":
        raise UnsupportedMediaType


def require_json(media_type: bytes | None, encoding: bytes | None) -> None:
    """Raises UnsupportedMediaType unless the headers announce uncompressed JSON in UTF-8."""
    require_uncompressed(encoding)
    if media_type != JSON and (media_type is None or not _is_json(media_type)):
        raise UnsupportedMediaType


@lru_cache(maxsize=256)
def accepts(accept: bytes, media_type: bytes) -> bool:
    """Returns whether `Accept` admits a media type; the most specific range decides."""
    quality, precision = 0.0, -1
    for item in accept.lower().split(b","):
        name, *parameters = (part.strip() for part in item.split(b";"))
        specificity = _specificity(name, media_type)
        if specificity > precision:
            quality, precision = _quality(parameters), specificity
    return quality > 0 or not accept.strip()


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: bytes) -> bool:
    """Returns whether `Accept-Encoding` admits gzip and prefers no other encoding."""
    qualities: dict[bytes, float] = {}
    for item in accept_encoding.lower().split(b","):
        name, *parameters = (part.strip() for part in item.split(b";"))
        qualities[name] = _quality(parameters)
    gzip = qualities.get(b"gzip", qualities.get(b"x-gzip", qualities.get(b"*", 0.0)))
    return gzip > 0 and gzip >= qualities.get(b"identity", 0.0)


def _without_encoding(tags: bytes) -> str:
    """Returns entity tags as those of the plain representation."""
    return tags.replace(GZIP_SUFFIX + b'"', b'"').decode("latin-1")


def _is_json(media_type: bytes) -> bool:
    name, *parameters = (part.strip() for part in media_type.split(b";"))
    return name.lower() == JSON and all(map(_PARAMETER.fullmatch, filter(None, parameters)))


def _specificity(media_range: bytes, media_type: bytes) -> int:
    """Ranks a range by its fit: 2 exact, 1 `type/*`, 0 `*/*`; -1 if it does not cover the type.

    A route that chooses among types, such as `image/*`, is covered by each of them.
    """
    family = media_type.split(b"/")[0] + b"/*"
    if media_type == family and media_range.startswith(family[:-1]):
        return 2
    ranges = {media_type: 2, family: 1, b"*/*": 0, b"*": 0}
    return ranges.get(media_range, -1)


def _quality(parameters: list[bytes]) -> float:
    for parameter in parameters:
        if parameter.startswith(b"q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
