"""The OpenAPI 3.1 document, made from the same bindings as the routes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from gateway.admission import quotas
from gateway.codec import constraints, paging
from gateway.contract.bindings import ACCEPT, ACCEPT_ENCODING, KEY_HEADER, Binding
from gateway.contract.comments import Comments, of_endpoint
from gateway.contract.messages import Field, fields
from gateway.http.response_headers import HEADERS
from gateway.reference import access, examples, names
from gateway.reference.responses import Responses, status_response
from gateway.reference.schemas import Schema, Schemas

KEY_PATTERN = r'^(?:[!#-~][!-~]{0,254}|"(?:[!#-\[\]-~]|\\["\\]){1,255}")$'

INTRODUCTION = """Books seats and never oversells.

- **Who may call** is the first line of each endpoint. A closed lock needs a token, an open one
  takes one, and without a lock anyone may call. Log in at `POST /auth/login`, press *Authorize*,
  and paste the `access_token`.
- **Errors** are `{"error": "<code>"}`, for `validation_error` with `details` that name the fields.
  [Every code, its meaning and what to do about it](/docs/errors).
- **Retries.** A write that is answered 503 was certainly not carried out; after 504 repeat it with
  the same `Idempotency-Key`, and it is carried out once.
- **Names** are accepted in snake_case and in camelCase, and answered in snake_case. Nothing is
  converted: `"1"` is not the number 1."""

OTHER_NAMES = "Some fields have further names:"

SERVICE_TAG = "Service"

SERVICE: Mapping[str, tuple[str, dict[str, Schema]]] = MappingProxyType(
    {
        "/health": ("Tells that the process answers", {"200": status_response("ok")}),
        "/ready": (
            "Tells whether reservations of known events can be made",
            {
                "200": status_response("ready"),
                "503": status_response("not_ready", "db", "bookings"),
            },
        ),
        "/metrics": (
            "Gives the metrics in the text format of Prometheus",
            {"200": {"description": "Done.", "content": {"text/plain": {}}}},
        ),
    }
)
"""The endpoints for operators, which no service declares: their summaries and responses."""


def document(bindings: Sequence[Binding], comments: Comments) -> Schema:
    """Describes every binding of the contract."""
    schemas = Schemas(comments)
    responses = Responses(schemas)
    paths: dict[str, Schema] = defaultdict(dict)
    for binding in bindings:
        name = _operation_id(binding, bindings)
        operation = {"operationId": name, **_operation(binding, schemas)}
        operation["responses"] = responses.of(binding)
        paths[binding.path][binding.http_method.lower()] = operation
    paths |= {path: {"get": _service_operation(path, *each)} for path, each in SERVICE.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Boxoffice", "version": "v1", "description": _introduction(bindings)},
        "tags": _tags(bindings, comments),
        "paths": dict(paths),
        "components": {
            "schemas": schemas.components,
            "responses": responses.components,
            "headers": HEADERS,
            "securitySchemes": dict(access.SCHEMES),
        },
    }


def _introduction(bindings: Sequence[Binding]) -> str:
    return "\n\n".join((INTRODUCTION, OTHER_NAMES, names.alias_table(bindings)))


def _tags(bindings: Sequence[Binding], comments: Comments) -> list[Schema]:
    """Returns a tag for each service, with the comment of its contract."""
    services = {binding.rpc.containing_service: None for binding in bindings}
    tags = [
        {"name": names.tag(s.name), "description": comments.get(s.full_name, "")} for s in services
    ]
    return [*tags, {"name": SERVICE_TAG, "description": "For operators and load balancers."}]


def _service_operation(path: str, summary: str, responses: dict[str, Schema]) -> Schema:
    return {
        "operationId": path.strip("/").capitalize(),
        "tags": [SERVICE_TAG],
        "summary": summary,
        "security": [],
        "responses": responses,
    }


def _operation(binding: Binding, schemas: Schemas) -> Schema:
    summary, description = of_endpoint(schemas.comment(binding.rpc.full_name))
    access_text = access.describe(binding, schemas.comments)
    parts = (access_text, description, paging.described(binding), _limits(binding))
    operation: Schema = {
        "tags": [names.tag(binding.rpc.containing_service.name)],
        "summary": summary,
        "description": "\n\n".join(filter(None, parts)),
        "security": access.security(binding),
        "parameters": list(_parameters(binding, schemas)),
    }
    if binding.body:
        operation["requestBody"] = _request_body(binding, schemas)
    return operation


def _limits(binding: Binding) -> str:
    lines = [f"- {quotas.describe(quota)}" for quota in binding.rule.quotas]
    if binding.rule.max_body_bytes:
        lines.append(f"- A body of at most {binding.rule.max_body_bytes:,} bytes.")
    return "\n".join(("**Limits:**", "", *lines)) if lines else ""


def _operation_id(binding: Binding, bindings: Sequence[Binding]) -> str:
    """Returns the RPC's name, with the HTTP method from its second binding on."""
    name = binding.rpc.name
    is_first = next(other for other in bindings if other.rpc is binding.rpc) == binding
    return name if is_first else f"{name}By{binding.http_method.capitalize()}"


def _parameters(binding: Binding, schemas: Schemas) -> Iterator[Schema]:
    request = {field.name: field for field in fields(binding.rpc.input_type)}
    for name in binding.variables:
        yield _parameter(request[name], name, "path", schemas) | {"required": True}
    for field in binding.query_fields:
        yield _parameter(field, field.name, "query", schemas)
        if field.rule.resumed_by:
            yield _parameter(field, field.rule.resumed_by, "header", schemas)
    for field in binding.header_fields:
        if field.rule.request_header in {ACCEPT, ACCEPT_ENCODING}:
            continue  # HTTP clients send them by themselves, and OpenAPI ignores the first.
        yield _parameter(field, field.rule.request_header, "header", schemas)


def _parameter(field: Field, name: str, place: str, schemas: Schemas) -> Schema:
    schema = schemas.parameter(field.descriptor)
    if name == KEY_HEADER:
        schema = {"type": "string", "pattern": KEY_PATTERN}
    if place == "path" and schema["type"] == "string":
        schema = {"minLength": 1, **schema}
    described: Schema = {
        "name": name,
        "in": place,
        "description": schemas.comment(field.descriptor.full_name),
        "schema": schema,
    }
    if place == "query" and constraints.is_needed(field):
        described["required"] = True
    if place == "path" or "required" in described or examples.has_example(field):
        described["example"] = examples.example(field)
    return described


def _request_body(binding: Binding, schemas: Schemas) -> Schema:
    if binding.has_raw_request:
        return {"required": True, "content": {"*/*": {"schema": {}}}}
    content = {"schema": schemas.body(binding), "example": examples.sample_body(binding)}
    is_needed = constraints.is_body_needed(binding)
    return {"required": is_needed, "content": {"application/json": content}}
