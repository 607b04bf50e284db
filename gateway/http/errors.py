"""The refusals of the gateway itself, and the HTTP response to every reason.

    kit.errors.Refusal
    ├── HttpRefusal              before any service is called
    │   ├── BadRequest           400  BAD_REQUEST
    │   ├── MalformedJson        400  MALFORMED_JSON
    │   ├── InvalidKey           400  INVALID_IDEMPOTENCY_KEY
    │   ├── RouteNotFound        404  NOT_FOUND
    │   ├── MethodNotAllowed     405  METHOD_NOT_ALLOWED, with `Allow`
    │   ├── NotAcceptable        406  NOT_ACCEPTABLE
    │   ├── BodyTooLarge         413  BODY_TOO_LARGE
    │   ├── UriTooLong           414  URI_TOO_LONG
    │   ├── UnsupportedMediaType 415  UNSUPPORTED_MEDIA_TYPE
    │   ├── RateLimited          429  RATE_LIMITED, with `RateLimit` and `Retry-After`
    │   └── HeadersTooLarge      431  HEADERS_TOO_LARGE
    └── …                        those of the services, by their ErrorInfo

Statuses and `Retry-After` come from the Reason enum of the contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import grpc
import orjson

from boxoffice.rest.v1 import reasons_pb2
from gateway.contract.bindings import reason_name
from gateway.http.location import Location
from gateway.http.messages import JSON_HEADERS, Header, Response
from services.kit.rpc import errors

MAX_DETAILS = 50
MAX_SHOWN_CHARACTERS = 128
NOWHERE = Location("")


class HttpRefusal(errors.Refusal):
    """The HTTP request was refused before any service saw it."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    headers: tuple[Header, ...] = ()


class BadRequest(HttpRefusal):
    """The HTTP request cannot be parsed."""

    reason = "BAD_REQUEST"


class MalformedJson(HttpRefusal):
    """The body is not one JSON object in UTF-8."""

    reason = "MALFORMED_JSON"


class InvalidKey(HttpRefusal):
    """The idempotency key is not 1 to 255 visible ASCII characters."""

    reason = "INVALID_IDEMPOTENCY_KEY"


class RouteNotFound(HttpRefusal):
    """There is no such route."""

    reason = "NOT_FOUND"


class MethodNotAllowed(HttpRefusal):
    """The route does not have this method."""

    reason = "METHOD_NOT_ALLOWED"

    def __init__(self, allowed: bytes) -> None:
        super().__init__()
        self.headers = ((b"allow", allowed),)


class NotAcceptable(HttpRefusal):
    """The client accepts nothing that the route answers with."""

    reason = "NOT_ACCEPTABLE"


class BodyTooLarge(HttpRefusal):
    """The body is too large."""

    reason = "BODY_TOO_LARGE"


class UriTooLong(HttpRefusal):
    """The request target is too long."""

    reason = "URI_TOO_LONG"


class UnsupportedMediaType(HttpRefusal):
    """The body is not plain JSON in UTF-8."""

    reason = "UNSUPPORTED_MEDIA_TYPE"


class RateLimited(HttpRefusal):
    """There were too many requests."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"

    def __init__(self, quota: str, *, requests: int, seconds: int, wait_seconds: int) -> None:
        super().__init__()
        self.headers = (
            (b"retry-after", b"%d" % wait_seconds),
            (b"ratelimit", f'"{quota}";r=0;t={wait_seconds}'.encode()),
            (b"ratelimit-policy", f'"{quota}";q={requests};w={seconds}'.encode()),
        )


class HeadersTooLarge(HttpRefusal):
    """There are too many headers, or they are too large."""

    reason = "HEADERS_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class ErrorTemplate:
    """The response to a reason: its status, headers, and body without details."""

    status: int
    headers: tuple[Header, ...]
    body: bytes
    details: str
    """Full name of the message of the details, or ""."""
    metadata_headers: Mapping[str, bytes]
    """Maps keys of a refusal's metadata to the headers that carry them."""


TEMPLATES: Mapping[str, ErrorTemplate]
"""The template of each reason in the contract; another reason is a defect."""


def response(
    refusal: errors.Refusal, location: Location = NOWHERE, details: Any = None
) -> Response:
    """Returns the HTTP response to a refusal.

    `location` is the path of the resource that the refusal's metadata may name; `details` are its
    details as JSON, if it has any.
    """
    template = TEMPLATES.get(refusal.reason) or TEMPLATES[errors.Internal.reason]
    headers = template.headers
    own: tuple[Header, ...] = getattr(refusal, "headers", ())
    if template.status == HTTPStatus.TOO_MANY_REQUESTS and not own:
        own = _limit_headers(refusal.metadata)
    if refusal.metadata:
        own += _metadata_headers(template, refusal.metadata, location)
    if own:
        headers = _without(headers, own) + own
    body = template.body
    if refusal.reason == errors.ValidationFailed.reason:
        details = _violations(refusal)
    if details is not None:
        body = orjson.dumps({"error": refusal.reason.lower(), "details": details})
    return Response(template.status, headers, body)


def is_verdict(refusal: errors.Refusal) -> bool:
    """Returns whether a refusal is final: the client must send another request."""
    template = TEMPLATES.get(refusal.reason)
    return template is not None and template.status < HTTPStatus.INTERNAL_SERVER_ERROR


def _metadata_headers(
    template: ErrorTemplate, metadata: Mapping[str, str], location: Location
) -> tuple[Header, ...]:
    headers: tuple[Header, ...] = tuple(
        (name, metadata[key].encode())
        for key, name in template.metadata_headers.items()
        if key in metadata
    )
    if path := location.fill(metadata):
        headers += ((b"content-location", path),)
    return headers


def _limit_headers(metadata: Mapping[str, str]) -> tuple[Header, ...]:
    """Returns the headers of a limit that a service keeps: one request in so many seconds."""
    seconds = metadata.get("retry_after_seconds", "1")
    return (
        (b"retry-after", seconds.encode()),
        (b"ratelimit", f'"service";r=0;t={seconds}'.encode()),
        (b"ratelimit-policy", f'"service";q=1;w={seconds}'.encode()),
    )


def _violations(refusal: errors.Refusal) -> list[dict[str, str]]:
    return [
        {"path": printable(violation.path), "message": printable(violation.message)}
        for violation in refusal.violations[:MAX_DETAILS]
    ]


def _without(headers: tuple[Header, ...], others: tuple[Header, ...]) -> tuple[Header, ...]:
    """Returns the headers whose names are not among the others."""
    names = {name for name, _ in others}
    return tuple(header for header in headers if header[0] not in names)


def printable(text: str) -> str:
    """Returns a client's text in bounded length and without lone surrogates."""
    return text[:MAX_SHOWN_CHARACTERS].encode(errors="replace").decode()


def _template(value: reasons_pb2.Reason.ValueType) -> ErrorTemplate:
    rule = reasons_pb2.Reason.DESCRIPTOR.values_by_number[value].GetOptions()
    reason = rule.Extensions[reasons_pb2.reason]
    headers: tuple[Header, ...] = tuple(JSON_HEADERS)
    if reason.retry_after_seconds:
        headers += ((b"retry-after", str(reason.retry_after_seconds).encode()),)
    if reason.status == HTTPStatus.UNAUTHORIZED:
        headers += ((b"www-authenticate", b"Bearer"),)
    carried = {
        each.metadata: each.header.lower().encode() for each in (*_OF_ANY_REASON, *reason.headers)
    }
    body = orjson.dumps({"error": reason_name(value).lower()})
    return ErrorTemplate(reason.status, headers, body, reason.details, carried)


_OF_ANY_REASON = reasons_pb2.Reason.DESCRIPTOR.GetOptions().Extensions[reasons_pb2.refusal_headers]


TEMPLATES = {
    reason_name(value): _template(value)
    for value in reasons_pb2.Reason.values()
    if value != reasons_pb2.REASON_UNSPECIFIED
}
