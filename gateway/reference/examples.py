"""Example requests for the documentation, made from the examples of the contract.

They fit the sample events of `make run`, and each other: one creates what the next one reads.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.codec import constraints, scalars
from gateway.contract.bindings import Binding
from gateway.contract.messages import ContractError, Field, fields, map_entry


def sample_body(binding: Binding) -> dict[str, Any]:
    """Returns a body; an update, which needs no field, has only those with examples."""
    sent = binding.body_fields
    return sample(filter(has_example, sent) if binding.is_update else sent)


def sample(sent: Iterable[Field]) -> dict[str, Any]:
    """Returns the fields that a request needs, and those that have examples."""
    return {
        field.name: example(field)
        for field in sent
        if constraints.is_needed(field) or has_example(field)
    }


def has_example(field: Field) -> bool:
    """Returns whether the contract has an example of the field, or of one within it."""
    if parts := _parts(field):
        return any(map(has_example, parts))
    return constraints.example(field.descriptor) is not None


def example(field: Field) -> Any:
    """Returns the example of a field, or the least value of its type.

    Raises ContractError for a field without example whose type has no useful least value.
    """
    found = constraints.example(field.descriptor)
    value = _least(field) if found is None else found
    return [value] if field.descriptor.is_repeated else value


def _least(field: Field) -> Any:
    """Returns the first value of an enum, or the smallest number, from 1 on, that is allowed.

    Of a message, what a request of it would have.
    """
    if parts := _parts(field):
        return sample(parts)
    if field.descriptor.message_type is None:
        schema = constraints.scalar(field.descriptor)
        if "enum" in schema:
            return schema["enum"][0]
        if schema["type"] == "integer":
            return max(1, schema["minimum"])
    raise ContractError(f"{field.descriptor.full_name} has no example")


def _parts(field: Field) -> Sequence[Field]:
    """Returns the fields of a field that is a message; none of any other, of a map, and a time."""
    message = field.descriptor.message_type
    if message is None or message.full_name == scalars.TIMESTAMP or map_entry(field.descriptor):
        return []
    return fields(message)
