"""The messages of the contract and their fields, with the names that they have in REST."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from google.api import field_behavior_pb2
from google.protobuf import descriptor_pool, field_mask_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from boxoffice.rest.v1 import rest_pb2

FIELD_MASK = field_mask_pb2.FieldMask.DESCRIPTOR.full_name


class ContractError(ValueError):
    """The contract says something that the gateway cannot serve."""


@dataclass(frozen=True)
class Field:
    """A field of a message with its REST face; `name` is its name in the .proto and in JSON."""

    descriptor: FieldDescriptor

    @property
    def name(self) -> str:
        """The field's own name."""
        return self.descriptor.name

    @cached_property
    def rule(self) -> rest_pb2.FieldRule:
        """Aliases, copies and headers."""
        return self.descriptor.GetOptions().Extensions[rest_pb2.field]

    @cached_property
    def request_names(self) -> tuple[str, ...]:
        """Every name that a request may use, the field's own first, each in camelCase too."""
        names = (self.name, *self.rule.aliases)
        return tuple(dict.fromkeys((*names, *map(camel_case, names))))

    @cached_property
    def string_field(self) -> FieldDescriptor | None:
        """The field that a string in the place of this number is read as."""
        message, name = self.descriptor.containing_type, self.rule.string_as
        return message.fields_by_name[name] if message and name else None

    @cached_property
    def is_output_only(self) -> bool:
        """Whether only the service sets it."""
        return self._behaves(field_behavior_pb2.OUTPUT_ONLY)

    @cached_property
    def is_required(self) -> bool:
        """Whether a resource cannot be made without it."""
        return self._behaves(field_behavior_pb2.REQUIRED)

    @cached_property
    def is_update_mask(self) -> bool:
        """Whether it names the fields that a request changes."""
        message = self.descriptor.message_type
        return message is not None and message.full_name == FIELD_MASK

    def _behaves(self, behaviour: field_behavior_pb2.FieldBehavior.ValueType) -> bool:
        options = self.descriptor.GetOptions()
        return behaviour in options.Extensions[field_behavior_pb2.field_behavior]


@cache
def fields(message: Descriptor) -> Sequence[Field]:
    """Lists the fields of a message as the .proto does."""
    return tuple(Field(descriptor) for descriptor in message.fields)


def map_entry(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor] | None:
    """Returns the fields of a map's keys and values; None for a field that is no map."""
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None
    return entry.fields_by_name["key"], entry.fields_by_name["value"]


def find_message(name: str) -> Descriptor:
    """Finds a message of the contract by its full name. Raises ContractError."""
    try:
        return descriptor_pool.Default().FindMessageTypeByName(name)
    except KeyError as error:
        raise ContractError(f"there is no message {name}") from error


def camel_case(name: str) -> str:
    """Spells `event_id` as `eventId`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
