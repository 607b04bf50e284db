"""Reads values of JSON, of the query and of the path as what messages are made of.

Readers are made once for each field. What they find wrong they append to a list.
"""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from gateway.codec import scalars
from gateway.codec.field_set import FieldSet, Found, Read
from gateway.contract import messages
from gateway.contract.messages import Field
from gateway.contract.unwrapped import only_field
from services.kit.rpc.errors import Violation


def json_reader(field: Field) -> Read:
    """Makes the reader of a field in JSON."""
    descriptor = field.descriptor
    if entry := messages.map_entry(descriptor):
        return _map(*entry)
    read = _one(descriptor)
    return _many(read) if descriptor.is_repeated else read


def message_reader(message: Descriptor) -> Read:
    """Makes the reader of an object, of a body or within one, as a message."""
    if only := only_field(message):
        return _wrapping(message, only)
    fields = FieldSet(messages.fields(message), json_reader, in_update=False)
    make = GetMessageClass(message)

    def read(value: Any, path: str, found: Found) -> Any:
        if type(value) is not tuple:
            found.append(Violation(path, "must be an object"))
            return None
        before = len(found)
        given = fields.take(value, f"{path}.", found)
        found += fields.missing(given, f"{path}.")
        return make(**given) if len(found) == before else None

    return read


def path_reader(request: Descriptor, name: str) -> Read:
    """Makes the reader of a variable of the path."""
    return _single(scalars.text_reader(request.fields_by_name[name], is_id=True))


def query_reader(field: Field) -> Read:
    """Makes the reader of a field in the query."""
    return _single(scalars.text_reader(field.descriptor, is_id=False))


def _one(descriptor: FieldDescriptor) -> Read:
    message = descriptor.message_type
    if message is None or message.full_name == scalars.TIMESTAMP:
        return _single(scalars.json_reader(descriptor))
    return message_reader(message)


def _single(convert: scalars.Read) -> Read:
    def read(value: Any, path: str, found: Found) -> Any:
        try:
            return convert(value)
        except scalars.WrongValueError as error:
            found.append(Violation(path, str(error)))
            return None

    return read


def _wrapping(message: Descriptor, only: Field) -> Read:
    """Makes the reader of a value that is the only field of a message."""
    read_value = json_reader(only)
    make = GetMessageClass(message)

    def read(value: Any, path: str, found: Found) -> Any:
        before = len(found)
        given = read_value(value, path, found)
        return make(**{only.name: given}) if len(found) == before else None

    return read


def _map(key: FieldDescriptor, value: FieldDescriptor) -> Read:
    """Makes the reader of an object whose members are the entries of a map."""
    read_key = _single(scalars.text_reader(key, is_id=False))
    read_value = _one(value)

    def read(members: Any, path: str, found: Found) -> Any:
        if type(members) is not tuple:
            found.append(Violation(path, "must be an object"))
            return None
        before = len(found)
        entries: dict[Any, Any] = {}
        for name, item in members:
            own = read_key(name, f"{path}.{name}", found)
            if own in entries:
                found.append(Violation(f"{path}.{name}", "given more than once"))
            entries[own] = _item(read_value, item, f"{path}.{name}", found)
        return entries if len(found) == before else None

    return read


def _many(read_one: Read) -> Read:
    def read(value: Any, path: str, found: Found) -> Any:
        if type(value) is not list:
            found.append(Violation(path, "must be an array"))
            return None
        items: Sequence[Any] = value
        before = len(found)
        members = [_item(read_one, item, f"{path}[{i}]", found) for i, item in enumerate(items)]
        return members if len(found) == before else None

    return read


def _item(read_one: Read, item: Any, path: str, found: Found) -> Any:
    if item is None:
        found.append(Violation(path, "must not be null"))
        return None
    return read_one(item, path, found)
