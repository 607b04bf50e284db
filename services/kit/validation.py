"""The rules of the contract, checked before any handler runs.

protovalidate checks what a field may hold. What a resource must have when it is made is its fields'
`field_behavior` REQUIRED (AIP-203), checked here wherever a request has no `update_mask`.
"""

from functools import cache

import protovalidate
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from services.kit.errors import Violation


def violations(message: Message) -> list[Violation]:
    """Lists the fields of a request that break their rules; empty when it is valid."""
    found = [
        Violation(_path(violation.proto), violation.proto.message or violation.proto.rule_id)
        for violation in protovalidate.collect_violations(message)
    ]
    return found + _missing(message)


def _path(violation: protovalidate.ViolationPb) -> str:
    path = ""
    for element in violation.field.elements if violation.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None and element.subscript.field == "index":
            path += f"[{element.subscript.value}]"
    return path


def _missing(message: Message) -> list[Violation]:
    return [
        Violation(f"{resource.name}.{field.name}", "value is required")
        for resource, required in _required(message.DESCRIPTOR)
        if message.HasField(resource.name)
        for field in required
        if not getattr(message, resource.name).HasField(field.name)
    ]


@cache
def _required(request: Descriptor) -> list[tuple[FieldDescriptor, list[FieldDescriptor]]]:
    """Pairs each resource of a request with its required fields that can be seen to be absent."""
    if "update_mask" in request.fields_by_name:
        return []
    return [
        (resource, [field for field in resource.message_type.fields if _is_required(field)])
        for resource in request.fields
        if resource.message_type is not None and not resource.is_repeated
    ]


def _is_required(field: FieldDescriptor) -> bool:
    behaviours = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field.has_presence and field_behavior_pb2.REQUIRED in behaviours
