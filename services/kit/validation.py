"""The rules of the contract, checked before any handler runs.

protovalidate checks what a field may hold. What a resource must have when it is made is its fields'
`field_behavior` REQUIRED (AIP-203), checked here wherever a request has no `update_mask`. So is a
user that only a token could name instead.
"""

from functools import cache

import protovalidate
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from boxoffice.rest.v1 import rest_pb2
from services.kit.errors import Violation
from services.kit.wording import worded

MISSING = "value is required"


def violations(message: Message, *, has_account: bool = True) -> list[Violation]:
    """Lists the fields of a request that break their rules; empty when it is valid.

    Without an account, a caller must name the user whom their token would name otherwise.
    """
    found = [
        Violation(_path(violation.proto), worded(violation))
        for violation in protovalidate.collect_violations(message)
    ]
    if not has_account:
        unnamed = (
            name for name in _named_by_token(message.DESCRIPTOR) if not message.HasField(name)
        )
        found += [Violation(name, MISSING) for name in unnamed]
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
        Violation(f"{resource.name}.{field.name}", MISSING)
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


@cache
def _named_by_token(request: Descriptor) -> list[str]:
    """Lists the fields that only a caller with a token may leave out."""
    options = [(field.name, field.GetOptions()) for field in request.fields]
    return [name for name, given in options if given.Extensions[rest_pb2.field].named_by_token]


def _is_required(field: FieldDescriptor) -> bool:
    behaviours = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field.has_presence and field_behavior_pb2.REQUIRED in behaviours
