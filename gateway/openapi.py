"""The OpenAPI 3.1 document, made from the same bindings as the routes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from boxoffice.rest.v1 import rest_pb2
from gateway import paging, rules
from gateway.answers import HEADERS, Answers, status_answer
from gateway.comments import Comments, of_endpoint
from gateway.contract import KEY_HEADER, Binding, Field, fields
from gateway.quotas import described
from gateway.samples import sample
from gateway.schemas import Schema, Schemas

KEY_PATTERN = r'^(?:[!#-~][!-~]{0,254}|"(?:[!#-\[\]-~]|\\["\\]){1,255}")$'

INTRODUCTION = """Books seats and never oversells.

Fields are accepted in snake_case and in camelCase and printed in snake_case; nothing is coerced.
Every refusal is `{"error": "<code>"}`, with `details` that name the fields for `validation_error`.
A write that is answered 503 was certainly not done; after 504 ask again with the same
`Idempotency-Key`."""


SERVICE: Mapping[str, tuple[str, dict[str, Schema]]] = MappingProxyType(
    {
        "/health": ("Tells that the process answers", {"200": status_answer("ok")}),
        "/ready": (
            "Tells whether reservations of known events can be made",
            {"200": status_answer("ready"), "503": status_answer("not_ready", "db", "bookings")},
        ),
        "/metrics": (
            "Gives the metrics in the text format of Prometheus",
            {"200": {"description": "Done.", "content": {"text/plain": {}}}},
        ),
    }
)
"""The endpoints for operators, which no service declares: what they do, and their answers."""


SECURITY: Mapping[int, list[Schema]] = MappingProxyType(
    {rest_pb2.ACCESS_PUBLIC: [], rest_pb2.ACCESS_OPEN: [{}, {"bearer": []}]}
)
"""What a caller shows, where that is not a token in any case."""


def document(bindings: Sequence[Binding], comments: Comments) -> Schema:
    """Describes every binding of the contract."""
    schemas = Schemas(comments)
    answers = Answers(schemas)
    paths: dict[str, Schema] = defaultdict(dict)
    for binding in bindings:
        name = _operation_id(binding, bindings)
        operation = {"operationId": name, **_operation(binding, schemas)}
        operation["responses"] = answers.of(binding)
        paths[binding.path][binding.http_method.lower()] = operation
    paths |= {path: {"get": _service_operation(path, *said)} for path, said in SERVICE.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Boxoffice", "version": "v1", "description": INTRODUCTION},
        "paths": dict(paths),
        "components": {
            "schemas": schemas.components,
            "responses": answers.components,
            "headers": HEADERS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _service_operation(path: str, summary: str, answers: dict[str, Schema]) -> Schema:
    name = path.strip("/").capitalize()
    return {"operationId": name, "tags": ["Service"], "summary": summary, "responses": answers}


def _operation(binding: Binding, schemas: Schemas) -> Schema:
    summary, description = of_endpoint(schemas.comment(binding.rpc.full_name))
    limits = (paging.described(binding), *map(described, binding.rule.quotas))
    operation: Schema = {
        "tags": [binding.rpc.containing_service.name.removesuffix("Service")],
        "summary": summary,
        "description": "\n".join(filter(None, (description, *limits))),
        "security": SECURITY.get(binding.rule.access, [{"bearer": []}]),
        "parameters": list(_parameters(binding, schemas)),
    }
    if binding.body:
        operation["requestBody"] = _request_body(binding, schemas)
    return operation


def _operation_id(binding: Binding, bindings: Sequence[Binding]) -> str:
    """Names an operation as its RPC, and by its HTTP method where the RPC has several."""
    name = binding.rpc.name
    is_first = next(other for other in bindings if other.rpc is binding.rpc) == binding
    return name if is_first else f"{name}By{binding.http_method.capitalize()}"


def _parameters(binding: Binding, schemas: Schemas) -> Iterator[Schema]:
    request = {field.name: field for field in fields(binding.rpc.input_type)}
    for name in binding.variables:
        yield _parameter(request[name], name, "path", schemas) | {"required": True}
    for field in binding.query_fields:
        yield _parameter(field, field.name, "query", schemas)
    for field in binding.header_fields:
        yield _parameter(field, field.rule.request_header, "header", schemas)


def _parameter(field: Field, name: str, place: str, schemas: Schemas) -> Schema:
    schema = schemas.parameter(field.descriptor)
    if name == KEY_HEADER:
        schema = {"type": "string", "pattern": KEY_PATTERN}
    if place == "path" and schema["type"] == "string":
        schema = {"minLength": 1, **schema}
    is_in_query = place == "query"
    comment = schemas.comment(field.descriptor.full_name)
    described = {
        "name": name,
        "in": place,
        "description": schemas.sent_comment(field) if is_in_query else comment,
        "schema": schema,
    }
    is_needed = is_in_query and rules.is_needed(field)
    return described | ({"required": True} if is_needed else {})


def _request_body(binding: Binding, schemas: Schemas) -> Schema:
    content = {"schema": schemas.body(binding), "example": sample(binding.body_fields)}
    return {"required": True, "content": {"application/json": content}}
