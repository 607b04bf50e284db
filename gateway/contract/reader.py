"""Reads the bindings of services from their descriptors, and refuses what cannot be served."""

from collections.abc import Iterable, Iterator, Sequence

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor

from boxoffice.rest.v1 import rest_pb2
from gateway.contract.bindings import ACCEPT_ENCODING, JSON, VARIABLE, WHOLE, Binding
from gateway.contract.messages import ContractError
from gateway.contract.unwrapped import only_field

VERBS = ("get", "put", "post", "delete", "patch")
MAX_BODY_BYTES = 8 << 20
"""Half of a gRPC message: no body grows that much on its way into one."""
SUCCESSES = frozenset({*range(200, 300), 304})


def read_bindings(services: Iterable[ServiceDescriptor]) -> Sequence[Binding]:
    """Lists every binding of the services' RPCs. Raises ContractError."""
    return [binding for service in services for rpc in service.methods for binding in _of(rpc)]


def _of(rpc: MethodDescriptor) -> Iterator[Binding]:
    if not rpc.GetOptions().HasExtension(annotations_pb2.http):
        return
    rule = rpc.GetOptions().Extensions[annotations_pb2.http]
    for http in (rule, *rule.additional_bindings):
        binding = _binding(rpc, http)
        check(binding)
        yield binding


def _binding(rpc: MethodDescriptor, http: http_pb2.HttpRule) -> Binding:
    verb = http.WhichOneof("pattern")
    if verb not in VERBS:
        raise ContractError(f"{rpc.full_name}: {verb} is no HTTP method that is served")
    return Binding(rpc, verb.upper(), getattr(http, verb), http.body, http.response_body)


def check(binding: Binding) -> None:
    """Raises ContractError for a binding that cannot be served."""
    objections = [
        *_path_objections(binding),
        *_rule_objections(binding),
        *_raw_objections(binding),
        *_stream_objections(binding),
    ]
    if objections:
        raise ContractError(f"{binding.rpc_path} {', and '.join(objections)}")


def _path_objections(binding: Binding) -> Iterator[str]:
    """Lists what is wrong with the path and the body."""
    if "{" in VARIABLE.sub("", binding.path):
        yield f"has a path of more than plain variables: {binding.path}"
    if not set(binding.variables) <= set(binding.rpc.input_type.fields_by_name):
        yield f"has a path that names no field of the request: {binding.path}"
    is_whole = binding.body in {"", WHOLE}
    if not is_whole and binding.resource is None and not binding.has_raw_request:
        yield f"has a body that is no message: {binding.body}"
    if only_field(binding.resource or binding.rpc.input_type):
        yield "has an unwrapped message as its body"


def _rule_objections(binding: Binding) -> Iterator[str]:
    """Lists what is wrong with the options."""
    rule = binding.rule
    if rule.access == rest_pb2.ACCESS_UNSPECIFIED:
        yield "does not say who may call it"
    if binding.is_get and not binding.is_read:
        yield "is a GET without `idempotency_level = NO_SIDE_EFFECTS`"
    if not 0 <= rule.max_body_bytes <= MAX_BODY_BYTES:
        yield f"has bodies of more than {MAX_BODY_BYTES} bytes"
    if rule.paging == rest_pb2.PAGING_NUMBER and not _has_numbers(binding.rpc):
        yield "lacks `page`, `page_size` or `total`"
    if rule.lane and rule.lane not in binding.rpc.input_type.fields_by_name:
        yield "has a lane that is no field of the request"
    sent = {field.name for field in binding.body_fields}
    for quota in rule.quotas:
        if quota.requests < 1 or quota.seconds < 1 or not {quota.field} <= {"", *sent}:
            yield "has a quota that cannot be kept"
    if rule.HasField("other_success") and not _has_other_success(binding):
        yield "has another success that nothing tells"


def _raw_objections(binding: Binding) -> Iterator[str]:
    """Lists what is wrong with a body that passes as bytes, and with the headers beside it."""
    for field in binding.header_fields:
        is_bool = field.descriptor.type == FieldDescriptor.TYPE_BOOL
        if is_bool != (field.rule.request_header == ACCEPT_ENCODING):
            yield f"has a header of another type than `{field.name}`"
    if not binding.has_raw_response:
        if binding.rule.shown_as or (binding.rule.media_type and not binding.has_events):
            yield "has a media type, which only a google.api.HttpBody has"
    elif binding.rule.paging:
        yield "has pages, which a google.api.HttpBody has not"
    elif (binding.shown_as is None) == (binding.media_type == JSON):
        yield "has JSON without `shown_as`, or something else with it"


def _stream_objections(binding: Binding) -> Iterator[str]:
    """Lists what is wrong with a stream."""
    if binding.rpc.client_streaming:
        yield "streams requests, which REST cannot"
    if binding.is_stream and not (binding.has_raw_response or binding.has_events):
        yield "streams messages that are neither google.api.HttpBody nor text/event-stream"
    if binding.is_stream and binding.rule.batched:
        yield "streams responses, which cannot share a batch"


def _has_numbers(rpc: MethodDescriptor) -> bool:
    asked, answered = rpc.input_type.fields_by_name, rpc.output_type.fields_by_name
    if "page" not in asked or "page_size" not in asked or "total" not in answered:
        return False
    return bool(asked["page"].has_presence and answered["total"].has_presence)


def _has_other_success(binding: Binding) -> bool:
    """Returns whether a bool of the response stands for the status of a success."""
    other = binding.rule.other_success
    field = binding.rpc.output_type.fields_by_name.get(other.field)
    if field is None or field.type != FieldDescriptor.TYPE_BOOL or field.is_repeated:
        return False
    return other.status in SUCCESSES
