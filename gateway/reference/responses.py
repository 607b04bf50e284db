"""Describes the responses of an endpoint: its successes, and the refusals that it declares."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from functools import cache
from http import HTTPStatus
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor

from boxoffice.rest.v1 import reasons_pb2, rest_pb2
from gateway.contract.bindings import ENCODING_HEADER, ETAG_HEADER, JSON, Binding, reason_name
from gateway.contract.messages import find_message
from gateway.http import errors
from gateway.http.response_headers import HEADERS
from gateway.reference.schemas import Schema, Schemas
from services.kit.rpc.errors import ValidationFailed

Reasons: TypeAlias = Sequence[reasons_pb2.Reason.ValueType]

COMMON: Reasons = (
    reasons_pb2.REASON_PERMISSION_DENIED,
    reasons_pb2.REASON_INVALID_PAGE_TOKEN,
    reasons_pb2.REASON_IDEMPOTENCY_KEY_REUSED,
    reasons_pb2.REASON_REQUEST_IN_PROGRESS,
)
"""Refusals that services declare, and that mean the same at every endpoint."""

GENERAL: Reasons = (
    *COMMON,
    reasons_pb2.REASON_BAD_REQUEST,
    reasons_pb2.REASON_MALFORMED_JSON,
    reasons_pb2.REASON_INVALID_IDEMPOTENCY_KEY,
    reasons_pb2.REASON_UNAUTHENTICATED,
    reasons_pb2.REASON_INVALID_TOKEN,
    reasons_pb2.REASON_NOT_ACCEPTABLE,
    reasons_pb2.REASON_BODY_TOO_LARGE,
    reasons_pb2.REASON_URI_TOO_LONG,
    reasons_pb2.REASON_UNSUPPORTED_MEDIA_TYPE,
    reasons_pb2.REASON_VALIDATION_ERROR,
    reasons_pb2.REASON_RATE_LIMITED,
    reasons_pb2.REASON_HEADERS_TOO_LARGE,
    reasons_pb2.REASON_INTERNAL,
    reasons_pb2.REASON_UNAVAILABLE,
    reasons_pb2.REASON_OUTCOME_UNKNOWN,
)
"""Refusals that every endpoint may return; the page of errors explains them once."""

OTHERS = "Error"

_VIOLATIONS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
        "required": ["path", "message"],
        "additionalProperties": False,
    },
}


class Responses:
    """The responses of all endpoints; refusals that several share are one component."""

    def __init__(
        self,
        schemas: Schemas,
        templates: Mapping[str, errors.ErrorTemplate] = errors.TEMPLATES,
    ) -> None:
        self._schemas = schemas
        self._replies = templates
        self.components: dict[str, Schema] = {}

    def of(self, binding: Binding) -> dict[str, Schema]:
        """Describes the successes of a binding, its own refusals, and all others together."""
        by_status: dict[int, list[str]] = defaultdict(list)
        for reason in own_refusals(binding):
            by_status[errors.TEMPLATES[reason].status].append(reason)
        refusals = {str(s): self._refusal(s, names) for s, names in sorted(by_status.items())}
        successes = self._successes(binding) | self._not_modified(binding)
        return successes | refusals | {"default": self._others()}

    def _successes(self, binding: Binding) -> dict[str, Schema]:
        usual, other = binding.rule.success_status or HTTPStatus.OK, binding.rule.other_success
        statuses = {usual, other.status} if other.field else {usual}
        statuses -= {HTTPStatus.NOT_MODIFIED}
        return {str(int(status)): self._success(binding) for status in sorted(statuses)}

    def _not_modified(self, binding: Binding) -> dict[str, Schema]:
        """Describes the response to a read whose ETag the client sent in `If-None-Match`."""
        is_tagged = binding.is_get and ETAG_HEADER in _success_headers(binding)
        if not is_tagged and binding.rule.other_success.status != HTTPStatus.NOT_MODIFIED:
            return {}
        headers = _headers(_success_headers(binding))
        return {"304": {"description": "`If-None-Match` names what there is.", "headers": headers}}

    def _success(self, binding: Binding) -> Schema:
        if binding.rule.success_status == HTTPStatus.NO_CONTENT:
            return {"description": "Done.", "headers": _headers(())}
        if binding.has_raw_response:
            return self._raw(binding)
        if binding.has_events:
            return _response("Events.", {"type": "string"}, (), binding.media_type)
        shown = binding.response_body_type
        if isinstance(shown, Descriptor):
            schema = self._schemas.response(shown)
        else:
            schema = self._schemas.response_field(shown)
        if binding.rule.paging == rest_pb2.PAGING_TOKEN_OR_NUMBER:
            schema = {"oneOf": [schema, _envelope(schema)]}
        elif binding.rule.paging == rest_pb2.PAGING_NUMBER:
            schema = _envelope(schema)
        return _response("Done.", schema, _success_headers(binding))

    def _raw(self, binding: Binding) -> Schema:
        """Describes bytes of a service by their media type, and by a message if they are JSON."""
        schema: Schema = {}
        if (shown := binding.shown_as) is not None:
            schema = self._schemas.response(shown.message)
            schema = {"type": "array", "items": schema} if shown.is_repeated else schema
        return _response("Done.", schema, _success_headers(binding), binding.media_type)

    def _refusal(self, status: int, reasons: list[str]) -> Schema:
        """Describes the refusals of a status; the schema also admits its general ones."""
        key = ".".join((str(status), *map(str.lower, reasons)))
        comments = (self._schemas.comment(f"boxoffice.rest.v1.Reason.REASON_{r}") for r in reasons)
        lines = zip(reasons, comments, strict=True)
        description = "\n".join(f"- `{reason.lower()}`: {text}" for reason, text in lines)
        general = (reason for reason in _general() if errors.TEMPLATES[reason].status == status)
        return self._refusing(key, description, list(dict.fromkeys((*reasons, *general))))

    def _others(self) -> Schema:
        return self._refusing(OTHERS, "Any other refusal: see [errors](/docs/errors).", _general())

    def _refusing(self, key: str, description: str, reasons: list[str]) -> Schema:
        headers = frozenset[str]().union(*map(_refusal_headers, reasons))
        self.components[key] = _response(description, self._error(reasons), sorted(headers))
        return {"$ref": f"#/components/responses/{key}"}

    def _error(self, reasons: list[str]) -> Schema:
        codes = [reason.lower() for reason in reasons]
        schema = _object({"error": {"type": "string", "enum": codes}})
        details = [_VIOLATIONS] if ValidationFailed.reason in reasons else []
        for name in dict.fromkeys(self._replies[reason].details for reason in reasons):
            details += [self._schemas.response(find_message(name))] if name else []
        if details:
            one, *others = details
            schema["properties"]["details"] = {"anyOf": details} if others else one
        return schema


def own_refusals(binding: Binding) -> list[str]:
    """Returns the reasons of refusals that a binding does not share with most others."""
    is_public = binding.rule.access == rest_pb2.ACCESS_PUBLIC
    common = set(COMMON) - ({reasons_pb2.REASON_PERMISSION_DENIED} if is_public else set())
    return [reason_name(reason) for reason in binding.rule.refusals if reason not in common]


def status_response(status: str, *reasons: str) -> Schema:
    """Describes a response with a status in one word, and the reasons for it."""
    properties: dict[str, Schema] = {"status": {"const": status}}
    if reasons:
        properties["reason"] = {"enum": list(reasons)}
    return _response("Done." if not reasons else "Not now.", _object(properties), ())


def _general() -> list[str]:
    return [reason_name(reason) for reason in GENERAL]


def _success_headers(binding: Binding) -> list[str]:
    repeated = (field.rule.response_header for _, field in binding.response_header_fields)
    headers = [name for name in repeated if name != ENCODING_HEADER]
    if binding.revision_field:
        headers.append(ETAG_HEADER)
    if binding.rule.location:
        headers.append("Location")
    if binding.rule.paging:
        headers.append("X-Total-Count")
    if binding.rule.paging not in {rest_pb2.PAGING_UNSPECIFIED, rest_pb2.PAGING_NUMBER}:
        headers.append("Link")
    return headers


@cache
def _refusal_headers(reason: str) -> Set[str]:
    template = errors.TEMPLATES[reason]
    sent = {name for name, _ in template.headers}
    headers = set()
    if template.status == HTTPStatus.TOO_MANY_REQUESTS:
        headers |= {"RateLimit", "RateLimit-Policy"}
    if template.status == HTTPStatus.CONFLICT:
        headers.add("Content-Location")
        sent |= {*template.metadata_headers.values()}
    return headers | {name for name in HEADERS if name.lower().encode() in sent}


def _response(
    description: str, schema: Schema, headers: Sequence[str], media_type: str = JSON
) -> Schema:
    return {
        "description": description,
        "headers": _headers(headers),
        "content": {media_type: {"schema": schema}},
    }


def _headers(names: Sequence[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def _envelope(rows: Schema) -> Schema:
    numbers = ("total", "page", "limit", "total_pages")
    meta = _object({name: {"type": "integer", "minimum": 0} for name in numbers})
    return _object({"data": rows, "meta": meta})


def _object(properties: dict[str, Any]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
