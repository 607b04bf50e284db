"""Reads the bindings of services from their descriptors, and refuses what cannot be served."""

from collections.abc import Iterable, Iterator, Sequence

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor

from boxoffice.rest.v1 import rest_pb2
from gateway.contract.bindings import VARIABLE, WHOLE, Binding, ContractError

VERBS = ("get", "put", "post", "delete", "patch")
SUCCESSES = range(200, 300)


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
    if "{" in VARIABLE.sub("", binding.path):
        raise ContractError(f"{binding.rpc_path}: {binding.path} is more than plain variables")
    if binding.body not in {"", WHOLE} and binding.resource is None:
        raise ContractError(f"{binding.rpc_path}: the body `{binding.body}` is no message")
    unknown = set(binding.variables) - set(binding.rpc.input_type.fields_by_name)
    if unknown:
        raise ContractError(f"{binding.rpc_path}: {binding.path} names no field of the request")
    if binding.rule.access == rest_pb2.ACCESS_UNSPECIFIED:
        raise ContractError(f"{binding.rpc_path} does not say who may call it")
    if binding.rule.paging == rest_pb2.PAGING_NUMBER and not _has_numbers(binding.rpc):
        raise ContractError(f"{binding.rpc_path} lacks `page`, `page_size` or `total`")
    if binding.rule.batched and not _has_lane(binding):
        raise ContractError(f"{binding.rpc_path} has no lane for what is busy")
    sent = {field.name for field in binding.body_fields}
    for quota in binding.rule.quotas:
        if quota.requests < 1 or quota.seconds < 1 or not {quota.field} <= {"", *sent}:
            raise ContractError(f"{binding.rpc_path} has a quota that cannot be kept")
    if binding.rule.HasField("other_success") and not _is_told(binding):
        raise ContractError(f"{binding.rpc_path} has another success that nothing tells")


def _has_numbers(rpc: MethodDescriptor) -> bool:
    asked, answered = rpc.input_type.fields_by_name, rpc.output_type.fields_by_name
    if "page" not in asked or "page_size" not in asked or "total" not in answered:
        return False
    return bool(asked["page"].has_presence and answered["total"].has_presence)


def _has_lane(binding: Binding) -> bool:
    """Returns whether a field tells busy requests apart; a read is never busy."""
    return binding.is_read or binding.rule.lane in binding.rpc.input_type.fields_by_name


def _is_told(binding: Binding) -> bool:
    """Tells whether a bool of the response says which success it is."""
    other = binding.rule.other_success
    field = binding.rpc.output_type.fields_by_name.get(other.field)
    if field is None or field.type != FieldDescriptor.TYPE_BOOL or field.is_repeated:
        return False
    return other.status in SUCCESSES
