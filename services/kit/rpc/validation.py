"""The rules of the contract, checked before any handler runs.

protovalidate checks the values of fields. This module also checks that a request without an
`update_mask` has the fields of its resource that are REQUIRED (`field_behavior`, AIP-203) or
`needed_without` another, and that it names a user if the caller has no token that does.
"""

from functools import cache
from typing import TypeAlias

import protovalidate
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from boxoffice.rest.v1 import rest_pb2
from services.kit.rpc.errors import Violation
from services.kit.rpc.violation_text import text_of

MISSING = "value is required"

Resources: TypeAlias = list[tuple[FieldDescriptor, list[FieldDescriptor]]]


def violations(message: Message, *, has_account: bool = True) -> list[Violation]:
    """Returns the violations of a request; empty if it is valid.

    A caller without an account must name the user that a token would name.
    """
    found = [
        Violation(_path(violation.proto), text_of(violation))
        for violation in protovalidate.collect_violations(message)
    ]
    resources, users = _required(message.DESCRIPTOR)
    if not has_account:
        found += [Violation(name, MISSING) for name in users if not message.HasField(name)]
    return found + _missing(message, resources) if resources else found


def _path(violation: protovalidate.ViolationPb) -> str:
    path = ""
    for element in violation.field.elements if violation.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            value = element.subscript.value
            # The place in a list, or the key of a map.
            path += f"[{value}]" if element.subscript.field == "index" else f".{value}"
    return path


def _missing(message: Message, resources: Resources) -> list[Violation]:
    return [
        Violation(f"{resource.name}.{field.name}", MISSING)
        for resource, required in resources
        if message.HasField(resource.name)
        for field in required
        if _is_missing(field, getattr(message, resource.name))
    ]


def _is_missing(field: FieldDescriptor, resource: Message) -> bool:
    other = _rule(field).needed_without
    return not (resource.HasField(field.name) or (other and resource.HasField(other)))


@cache
def _required(request: Descriptor) -> tuple[Resources, list[str]]:
    """Returns the required fields of each resource, and those that a token can replace.

    Only fields with presence count, since absence cannot be seen for others. Both results are
    computed once per type of request.
    """
    users = [field.name for field in request.fields if _rule(field).named_by_token]
    if "update_mask" in request.fields_by_name:
        return [], users
    resources = [
        (field, [part for part in field.message_type.fields if _is_required(part)])
        for field in request.fields
        if field.message_type is not None and not field.is_repeated
    ]
    return [(resource, required) for resource, required in resources if required], users


def _is_required(field: FieldDescriptor) -> bool:
    behaviours = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    is_required = field_behavior_pb2.REQUIRED in behaviours or _rule(field).needed_without
    return field.has_presence and bool(is_required)


def _rule(field: FieldDescriptor) -> rest_pb2.FieldRule:
    return field.GetOptions().Extensions[rest_pb2.field]
